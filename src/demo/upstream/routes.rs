//! Every path, and what each vendor answers on it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use protocol::Format;
use serde_json::{Value, json};

use super::answer::{Asked, count_words};
use super::gemini::Framing;
use super::refusal::{Reason, Refusal};
use super::script::Failure;
use super::serve::{Reply, Shared, finished, refuse, serve};
use super::{anthropic, control, embeddings, gemini, models, openai_chat, openai_responses};

/// Prompts with images reach 32 MB.
const LARGEST_BODY: usize = 64 << 20;
/// Every path on one page.
pub(super) fn all(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(LARGEST_BODY))
        .route("/_script", web::get().to(control::mode))
        .route("/_script", web::post().to(control::change_mode))
        .route("/_script/log", web::get().to(control::log))
        .route("/_script/log", web::delete().to(control::forget))
        .route("/_script/open", web::get().to(control::open))
        .route("/v1/messages", web::post().to(messages))
        .route("/v1/messages/count_tokens", web::post().to(count_tokens))
        .route("/v1/chat/completions", web::post().to(chat_completions))
        .route("/v1/responses", web::post().to(responses))
        .route("/v1/responses", web::get().to(websocket))
        .route("/v1/responses/input_tokens", web::post().to(input_tokens))
        .route("/v1/embeddings", web::post().to(embed))
        .route("/{version:v1|v1beta}/models", web::get().to(list_models))
        .route("/{version:v1|v1beta}/models/{model:.*}", web::get().to(one_model))
        .route("/{version:v1|v1beta}/models/{call:.*}", web::post().to(gemini_call))
        .default_service(web::to(nothing));
}

async fn messages(shared: web::Data<Shared>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let versioned = request.headers().contains_key("anthropic-version");
    let read = |body: &Value| match versioned {
        true => anthropic::read(body),
        false => Err("anthropic-version: header is required".into()),
    };
    serve(Format::Anthropic, &shared, &request, &body, read, |asked, _, answer| match asked.stream {
        true => Reply::sse(anthropic::events(asked, answer), {
            let number = answer.number;
            move |_| anthropic::error_event(number)
        }),
        false => Reply::Whole(anthropic::whole(asked, answer)),
    })
    .await
}

async fn count_tokens(shared: web::Data<Shared>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    serve(Format::Anthropic, &shared, &request, &body, anthropic::read_prompt, |asked, _, _| {
        Reply::Whole(json!({"input_tokens": count_words(&asked.prompt)}))
    })
    .await
}

async fn chat_completions(shared: web::Data<Shared>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    serve(Format::OpenaiChat, &shared, &request, &body, openai_chat::read, |asked, _, answer| {
        match asked.stream {
            true => Reply::sse(openai_chat::events(asked, answer), |_| openai_chat::error_event()),
            false => Reply::Whole(openai_chat::whole(asked, answer)),
        }
    })
    .await
}

async fn responses(shared: web::Data<Shared>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    serve(
        Format::OpenaiResponses,
        &shared,
        &request,
        &body,
        openai_responses::read,
        |asked, script, answer| {
            if !asked.stream {
                return Reply::Whole(openai_responses::whole(asked, answer));
            }
            let frames = match script.failure {
                Some(Failure::Overflow) => openai_responses::overflow_events(asked, answer.number),
                _ => openai_responses::events(asked, answer),
            };
            let (model, number) = (asked.model.clone(), answer.number);
            let error =
                move |at| openai_responses::error_event(&Asked { model, ..Asked::default() }, number, at);
            Reply::sse(frames, error)
        },
    )
    .await
}

async fn input_tokens(shared: web::Data<Shared>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    serve(Format::OpenaiResponses, &shared, &request, &body, openai_responses::read, |asked, _, _| {
        Reply::Whole(json!({"object": "response.input_tokens", "input_tokens": count_words(&asked.prompt)}))
    })
    .await
}

/// No websockets here: 426 sends Codex to plain HTTP at once.
async fn websocket(shared: web::Data<Shared>, request: HttpRequest) -> HttpResponse {
    let exchange = shared.log.receive(&request, b"");
    finished(exchange, HttpResponse::build(StatusCode::UPGRADE_REQUIRED), "")
}

async fn embed(shared: web::Data<Shared>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let parsed = serde_json::from_slice(&body).unwrap_or(Value::Null);
    serve(Format::OpenaiChat, &shared, &request, &body, embeddings::read, |asked, _, _| {
        Reply::Whole(embeddings::whole(asked, &parsed))
    })
    .await
}

async fn list_models(shared: web::Data<Shared>, request: HttpRequest) -> HttpResponse {
    let format = format_of(&request);
    let read = |_: &Value| Ok(Asked::default());
    serve(format, &shared, &request, b"null", read, |_, _, _| Reply::Whole(models::list(format))).await
}

async fn one_model(
    shared: web::Data<Shared>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> HttpResponse {
    let format = format_of(&request);
    let read = |_: &Value| Ok(Asked::default());
    serve(format, &shared, &request, b"null", read, |_, _, _| Reply::Whole(models::one(format, &path.1)))
        .await
}

/// `/v1/models` belongs to three vendors; headers tell whose list is meant.
fn format_of(request: &HttpRequest) -> Format {
    let has = |name| request.headers().contains_key(name);
    if request.path().starts_with("/v1beta") || has("x-goog-api-key") || has("x-goog-api-client") {
        Format::Gemini
    } else if has("anthropic-version") {
        Format::Anthropic
    } else {
        Format::OpenaiChat
    }
}

async fn gemini_call(
    shared: web::Data<Shared>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> HttpResponse {
    // Names of tuned models may hold a colon themselves: the method stands after the last one.
    let (model, method) = path.1.rsplit_once(':').unwrap_or((&path.1, ""));
    let stream = method == "streamGenerateContent";
    let sse = request.query_string().split('&').any(|pair| pair == "alt=sse");
    let framing = if sse { Framing::Sse } else { Framing::Array };
    let read = |body: &Value| gemini::read(body, model, stream);
    match method {
        "generateContent" | "streamGenerateContent" => {
            serve(Format::Gemini, &shared, &request, &body, read, |asked, _, answer| match asked.stream {
                true => Reply::Events {
                    content_type: if sse { "text/event-stream" } else { "application/json; charset=UTF-8" },
                    frames: gemini::events(asked, answer, framing),
                    error: Box::new(move |at| gemini::error_event(framing, at)),
                },
                false => Reply::Whole(gemini::whole(asked, answer)),
            })
            .await
        }
        "countTokens" => {
            serve(Format::Gemini, &shared, &request, &body, read, |asked, _, _| {
                Reply::Whole(gemini::count(count_words(&asked.prompt)))
            })
            .await
        }
        _ => nothing(shared, request).await,
    }
}

async fn nothing(shared: web::Data<Shared>, request: HttpRequest) -> HttpResponse {
    let exchange = shared.log.receive(&request, b"");
    refuse(&Refusal::new(Reason::NoSuchPath), format_of(&request), exchange)
}
