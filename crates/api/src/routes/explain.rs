//! "Why did I not get it": a reservation's whole story, for operators.

use crate::answer::json;
use crate::app::SharedApp;
use crate::extract::identity::Operator;
use crate::extract::path::{ReservationPath, not_found};
use crate::problem::Problem;
use crate::wire::time::Rfc3339;
use axum::extract::State;
use axum::response::Response;
use domain::story::StoryLine;
use domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
struct StoryBody {
    reservation: String,
    item: String,
    story: Vec<LineBody>,
    server_time: Rfc3339,
}

#[derive(Serialize)]
struct LineBody {
    sequence: u64,
    at: Rfc3339,
    event: &'static str,
    words: String,
}

/// `GET /v1/admin/reservations/{id}/explain`
pub(super) async fn explain(
    _: Operator,
    State(app): State<SharedApp>,
    ReservationPath { id, item }: ReservationPath,
) -> Result<Response, Problem> {
    let told = app.engine.story(id).await.map_err(Problem::of_read)?;
    let told = told.ok_or_else(|| not_found("there is no reservation of this id"))?;
    let body = StoryBody {
        reservation: id.to_string(),
        item: item.view().sku.to_string(),
        story: told.into_iter().map(LineBody::from).collect(),
        server_time: Rfc3339(app.engine.now()),
    };
    Ok(json(StatusCode::OK, &body))
}

impl From<StoryLine> for LineBody {
    fn from(line: StoryLine) -> Self {
        Self { sequence: line.seq.0, at: Rfc3339(line.at), event: line.event, words: with_instants(&line.words) }
    }
}

/// The domain names instants as milliseconds in brackets; people read them as everywhere else.
fn with_instants(words: &str) -> String {
    let mut told = String::with_capacity(words.len());
    let mut rest = words;
    while let Some((before, behind)) = rest.split_once('[') {
        told.push_str(before);
        match behind.split_once(']').and_then(|(inside, after)| Some((inside.parse::<u64>().ok()?, after))) {
            Some((millis, after)) => {
                told.push_str(&Rfc3339(Timestamp::from_millis(millis)).to_string());
                rest = after;
            }
            None => {
                told.push('[');
                rest = behind;
            }
        }
    }
    told.push_str(rest);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_everywhere_else_and_other_brackets_stay() {
        let told = with_instants("held until [1000], said \"[no]\" [");
        assert_eq!(told, "held until 1970-01-01T00:00:01.000Z, said \"[no]\" [");
    }
}
