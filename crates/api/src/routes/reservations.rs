//! Reservations: reserve, read, cancel, extend.

use crate::answer::{
    KeptBy, Told, answered, new_reservation_response, not_modified, reservation, reservation_json,
    reservation_response, reservation_tag, tagged,
};
use crate::app::{App, SharedApp};
use crate::extract::body::JsonBody;
use crate::extract::conditions::Conditions;
use crate::extract::identity::{self, Customer};
use crate::extract::key::{Caller, Key};
use crate::extract::params::Params;
use crate::extract::path::{ItemPath, ReservationPath, claim};
use crate::extract::receipt::Receipts;
use crate::limits::{PREFER_ASK_EVERY, PREFER_LAST_LOOK};
use crate::problem::Problem;
use crate::wire::shop::ReserveAsked;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use core::fmt::Display;
use domain::command::{Claim, Command};
use domain::turn::Query;
use domain::views::{ReservationView, StateView};
use engine::handle::ItemHandle;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use hyper::body::Body;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// `POST /v1/items/{sku}/reservations`: 201 held, 202 waiting.
pub(crate) async fn reserve(
    Customer(customer): Customer,
    key: Key,
    ItemPath { sku, item }: ItemPath,
    receipts: Receipts,
    body: JsonBody,
) -> Result<Response, Problem> {
    let ReserveAsked { quantity, waitlist } = body.read(ReserveAsked::read)?;
    let attempt =
        key.attempt(&Caller::Customer(&customer), ["POST /v1/items/", sku.as_str(), "/reservations"].concat());
    let command = Command::Reserve { customer, quantity, waitlist };
    let (judgement, receipt) = receipts.command(&item, command, Some(&attempt)).await?;
    let told = reservation(answered(judgement)?)?;
    let status = match told.view.state {
        StateView::Waiting { .. } => StatusCode::ACCEPTED,
        StateView::Held { .. }
        | StateView::HeldInBundle
        | StateView::Confirmed
        | StateView::Cancelled
        | StateView::Expired
        | StateView::Lapsed(_) => StatusCode::CREATED,
    };
    Ok(receipt.onto(new_reservation_response(status, &told)))
}

/// The item that a request asks for a unit of, where it is [`reserve`] that answers it and its name is spelled plainly.
pub(crate) fn wanted(parts: &Parts) -> Option<&str> {
    let sku = parts.uri.path().strip_prefix("/v1/items/")?.strip_suffix("/reservations")?;
    (parts.method == Method::POST && !sku.is_empty() && !sku.contains(['/', '%'])).then_some(sku)
}

/// [`reserve`] without the router: nearly all that comes in a rush, and finding the way to it would cost as much as
/// reading the request. The same steps in the same order as its extractors.
pub(crate) async fn reserve_at_once<B>(
    app: &SharedApp,
    from_gateway: bool,
    sku: &str,
    headers: &HeaderMap,
    body: B,
) -> Result<Response, Problem>
where
    B: Body<Data = Bytes, Error: Display> + Unpin,
{
    let customer = Customer(identity::customer(headers, from_gateway)?);
    let key = Key::of(headers)?;
    let item = ItemPath::of(sku, app)?;
    let receipts = Receipts::of(headers);
    let body = JsonBody::arrived(headers, body, app).await?;
    reserve(customer, key, item, receipts, body).await
}

/// `DELETE /v1/reservations/{id}`: leave the waitlist or release the hold; done twice it is done.
pub(super) async fn cancel(
    Customer(customer): Customer,
    ReservationPath { id, item }: ReservationPath,
    receipts: Receipts,
) -> Result<Response, Problem> {
    let command = Command::CancelReservation(claim(id, &customer));
    let (judgement, receipt) = receipts.command(&item, command, None).await?;
    let told = reservation(answered(judgement)?)?;
    Ok(receipt.onto(reservation_response(StatusCode::OK, &told)))
}

/// `POST /v1/reservations/{id}/extend`
pub(super) async fn extend(
    Customer(customer): Customer,
    key: Key,
    ReservationPath { id, item }: ReservationPath,
    receipts: Receipts,
    body: JsonBody,
) -> Result<Response, Problem> {
    body.nothing()?;
    let attempt = key.attempt(&Caller::Customer(&customer), format!("POST /v1/reservations/{id}/extend"));
    let command = Command::ExtendHold(claim(id, &customer));
    let (judgement, receipt) = receipts.command(&item, command, Some(&attempt)).await?;
    let told = reservation(answered(judgement)?)?;
    Ok(receipt.onto(reservation_response(StatusCode::OK, &told)))
}

/// `GET /v1/reservations/{id}`, with `Prefer: wait` until it changes.
pub(super) async fn read(
    State(app): State<SharedApp>,
    Customer(customer): Customer,
    ReservationPath { id, item }: ReservationPath,
    params: Params,
    conditions: Conditions,
) -> Result<Response, Problem> {
    super::items::reach(&app, &item, params.min_sequence()?).await?;
    let reader = Reader { app: &app, item: &item, claim: claim(id, &customer), conditions: &conditions };
    let (told, waited) = reader.read().await?;
    let etag = reservation_tag(&told.view);
    let mut response = if conditions.has_seen(&etag) {
        not_modified(etag, KeptBy::Owner)
    } else {
        tagged(reservation_json(StatusCode::OK, &told.view), etag, KeptBy::Owner)
    };
    if let Some(wait) = waited
        && let Ok(applied) = HeaderValue::try_from(format!("wait={}", wait.as_secs()))
    {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// One reader of one reservation.
struct Reader<'a> {
    app: &'a App,
    item: &'a ItemHandle,
    claim: Claim,
    conditions: &'a Conditions,
}

impl Reader<'_> {
    async fn ask(&self) -> Result<Told<ReservationView>, Problem> {
        let judgement = self.item.query(Query::Reservation(self.claim.clone())).await.map_err(Problem::of_read)?;
        reservation(answered(judgement)?)
    }

    /// Reads, and waits for a change if that was asked for and there is a place to wait.
    async fn read(&self) -> Result<(Told<ReservationView>, Option<Duration>), Problem> {
        let Some(wait) = self.conditions.wait else { return Ok((self.ask().await?, None)) };
        match self.app.waiters.try_acquire() {
            Ok(_place) => Ok((self.wait_for_change(wait).await?, Some(wait))),
            Err(_) => Ok((self.ask().await?, None)),
        }
    }

    /// Asks again when the item has changed, at most every [`PREFER_ASK_EVERY`], until the reservation reads
    /// differently from what the reader has seen, is over, or the wait is.
    async fn wait_for_change(&self, wait: Duration) -> Result<Told<ReservationView>, Problem> {
        let deadline = Instant::now() + wait;
        // Watched before it is asked: a change in between is seen as one.
        let mut watch = self.item.watch();
        watch.mark_unchanged();
        let mut asked_at = Instant::now();
        let mut told = self.ask().await?;
        let first = reservation_tag(&told.view);
        loop {
            let etag = reservation_tag(&told.view);
            let news =
                if self.conditions.has_seen_something() { !self.conditions.has_seen(&etag) } else { etag != first };
            if news || is_over(&told.view.state) {
                return Ok(told);
            }
            tokio::select! {
                changed = watch.changed() => if changed.is_err() { break },
                () = sleep_until(deadline) => break,
                () = self.app.draining() => break,
            }
            sleep_until(deadline.min(asked_at + PREFER_ASK_EVERY)).await;
            watch.mark_unchanged();
            asked_at = Instant::now();
            told = self.ask().await?;
        }
        self.look_once_more(told).await
    }

    /// What is told when the wait is over and nothing has changed. It is read again: readers count down from
    /// `server_time`, and `told` was read when the wait began. Where it cannot be read any more, what was read is told as
    /// of now, for no change of it has been published since.
    async fn look_once_more(&self, mut told: Told<ReservationView>) -> Result<Told<ReservationView>, Problem> {
        match timeout(PREFER_LAST_LOOK, self.ask()).await {
            Ok(Ok(fresh)) => Ok(fresh),
            Ok(Err(problem)) if problem.status() != StatusCode::SERVICE_UNAVAILABLE => Err(problem),
            Ok(Err(_)) | Err(_) => {
                told.view.at = self.app.engine.now();
                Ok(told)
            }
        }
    }
}

/// Whether waiting for a change is in vain.
fn is_over(state: &StateView) -> bool {
    match state {
        StateView::Waiting { .. } | StateView::Held { .. } | StateView::HeldInBundle => false,
        StateView::Confirmed | StateView::Cancelled | StateView::Expired | StateView::Lapsed(_) => true,
    }
}
