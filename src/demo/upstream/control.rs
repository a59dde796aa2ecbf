//! `/_script`: the mode, the log and the count of open requests, while it runs.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::mode::Mode;
use super::serve::Shared;

pub(super) async fn mode(shared: web::Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(shared.mode())
}

pub(super) async fn change_mode(shared: web::Data<Shared>, body: web::Bytes) -> HttpResponse {
    match serde_json::from_slice::<Mode>(&body) {
        Ok(mode) if mode.is_sound() => {
            shared.set_mode(mode);
            HttpResponse::Ok().json(mode)
        }
        Ok(_) => HttpResponse::BadRequest().json(json!({"error": "a failure has a status from 300 to 599"})),
        Err(error) => HttpResponse::BadRequest().json(json!({"error": error.to_string()})),
    }
}

/// What part of the log is wanted.
#[derive(serde::Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

pub(super) async fn log(shared: web::Data<Shared>, page: web::Query<Page>) -> HttpResponse {
    let entries = shared.log.after(page.after, page.limit.unwrap_or(usize::MAX));
    HttpResponse::Ok().json(json!({"items": entries}))
}

pub(super) async fn forget(shared: web::Data<Shared>) -> HttpResponse {
    shared.forget();
    HttpResponse::NoContent().finish()
}

pub(super) async fn open(shared: web::Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"open": shared.log.open_count()}))
}
