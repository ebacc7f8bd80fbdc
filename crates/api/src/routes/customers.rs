//! What a customer has over all items.

use crate::answer::{answered, json, order, reservation};
use crate::app::{App, SharedApp};
use crate::extract::identity::Listed;
use crate::extract::params::Params;
use crate::extract::path::claim;
use crate::problem::{Code, Problem};
use crate::wire::order::OrderBody;
use crate::wire::reservation::ReservationBody;
use crate::wire::shown;
use crate::wire::time::Rfc3339;
use axum::extract::State;
use axum::response::Response;
use domain::command::Claim;
use domain::identity::ReservationId;
use domain::text::CustomerId;
use domain::turn::Query;
use domain::views::{Answer, Judgement};
use engine::error::SubmitError;
use http::StatusCode;
use serde::{Serialize, Serializer};
use tokio::task::JoinSet;

/// A page of a customer's reservations.
#[derive(Serialize)]
struct ReservationsPage<'a> {
    reservations: Vec<ReservationBody<'a>>,
    #[serde(serialize_with = "cursor")]
    next_cursor: Option<ReservationId>,
    server_time: Rfc3339,
}

/// A page of a customer's orders.
#[derive(Serialize)]
struct OrdersPage<'a> {
    orders: Vec<OrderBody<'a>>,
    #[serde(serialize_with = "cursor")]
    next_cursor: Option<ReservationId>,
    server_time: Rfc3339,
}

fn cursor<S: Serializer>(id: &Option<ReservationId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => shown(id, serializer),
        None => serializer.serialize_none(),
    }
}

/// `GET /v1/customers/{customer}/reservations`
pub(super) async fn reservations(
    State(app): State<SharedApp>,
    Listed(customer): Listed,
    params: Params,
) -> Result<Response, Problem> {
    let page = Page::fetch(&app, &customer, &params, Query::Reservation).await?;
    let told = page.answers.into_iter().map(reservation).collect::<Result<Vec<_>, _>>()?;
    let reservations = told.iter().map(|told| ReservationBody::from(&*told.view)).collect();
    let server_time = Rfc3339(app.engine.now());
    Ok(json(StatusCode::OK, &ReservationsPage { reservations, next_cursor: page.next, server_time }))
}

/// `GET /v1/customers/{customer}/orders`: the reservations of a page that have one.
pub(super) async fn orders(
    State(app): State<SharedApp>,
    Listed(customer): Listed,
    params: Params,
) -> Result<Response, Problem> {
    let page = Page::fetch(&app, &customer, &params, Query::Order).await?;
    let told = page.answers.into_iter().map(order).collect::<Result<Vec<_>, _>>()?;
    let orders = told.iter().map(|told| OrderBody::from(&*told.view)).collect();
    let server_time = Rfc3339(app.engine.now());
    Ok(json(StatusCode::OK, &OrdersPage { orders, next_cursor: page.next, server_time }))
}

/// What the items said of a page of a customer's reservations, in its order.
struct Page {
    answers: Vec<Answer>,
    next: Option<ReservationId>,
}

impl Page {
    async fn fetch(
        app: &App,
        customer: &CustomerId,
        params: &Params,
        query: impl Fn(Claim) -> Query,
    ) -> Result<Self, Problem> {
        let (after, limit) = (params.cursor(ReservationId::parse)?, params.limit()?);
        let page = app.engine.reservations_of(customer, after, limit).await.map_err(Problem::of_read)?;
        let mut asking = JoinSet::new();
        for (place, id) in page.ids.iter().enumerate() {
            let Some(item) = app.item_of(*id) else { continue };
            let query = query(claim(*id, customer));
            asking.spawn(async move { (place, item.query(query).await) });
        }
        let mut judged = Vec::with_capacity(page.ids.len());
        while let Some(asked) = asking.join_next().await {
            let broken = |_| Problem::new(Code::Internal, "a read was broken off");
            judged.push(asked.map_err(broken)?);
        }
        judged.sort_unstable_by_key(|(place, _)| *place);
        Ok(Self { answers: those_there_are(judged)?, next: page.next })
    }
}

/// Leaves out what is not there (a reservation without an order); any other trouble is the page's.
fn those_there_are(judged: Vec<(usize, Result<Judgement, SubmitError>)>) -> Result<Vec<Answer>, Problem> {
    let mut answers = Vec::with_capacity(judged.len());
    for (_, judgement) in judged {
        match answered(judgement.map_err(Problem::of_read)?) {
            Ok(answer) => answers.push(answer),
            Err(problem) if problem.code() == Code::NotFound => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(answers)
}
