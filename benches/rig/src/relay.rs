//! The bare relay: actix-web in front, awc behind, nothing between.
//!
//! It is the floor of the stack the gateway stands on: whatever the gateway needs beyond this is its own
//! doing. Like any gateway it reads the whole prompt before it sends it on, and streams the answer.

use std::{io, net::TcpListener, time::Duration};

use actix_service::fn_service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector as TcpConnector};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    body::SizedStream,
    http::{StatusCode, Uri, header},
    web,
};
use awc::{Client, Connector};
use tokio::net::TcpStream;

const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// Where everything goes, and how.
#[derive(Clone)]
struct Way {
    upstream: String,
    client: Client,
}

/// Serves on one worker until the process is ended.
pub(crate) async fn serve(listener: TcpListener, upstream: String) -> io::Result<()> {
    HttpServer::new(move || {
        App::new()
            .app_data(web::PayloadConfig::new(LARGEST_BODY))
            .app_data(Way { upstream: upstream.clone(), client: client() })
            .default_service(web::to(relay))
    })
    .workers(1)
    .keep_alive(Duration::from_secs(75))
    .h1_allow_half_closed(false)
    .tcp_nodelay(true)
    .disable_signals()
    .listen(listener)?
    .run()
    .await
}

/// awc with its own limits lifted and Nagle's algorithm off, which it leaves on.
fn client() -> Client {
    let tcp = TcpConnector::default().service();
    let nodelay = fn_service(move |to: ConnectInfo<Uri>| {
        let connect = actix_service::Service::call(&tcp, to);
        async move {
            let connection: Connection<Uri, TcpStream> = connect.await?;
            connection.set_nodelay(true).map_err(ConnectError::Io)?;
            Ok::<_, ConnectError>(connection)
        }
    });
    Client::builder()
        .connector(Connector::new().connector(nodelay).limit(0).conn_lifetime(Duration::from_secs(3600)))
        .no_default_headers()
        .disable_redirects()
        .disable_timeout()
        .finish()
}

async fn relay(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let way = request.app_data::<Way>().expect("the way is part of the app");
    let url = format!("{}{}", way.upstream, request.uri());
    let mut onward = way.client.request(request.method().clone(), url).no_decompress();
    for (name, value) in request.headers() {
        if !of_one_connection(name) {
            onward = onward.insert_header((name.clone(), value.clone()));
        }
    }
    let answer = match onward.send_body(body).await {
        Ok(answer) => answer,
        Err(problem) => return HttpResponse::build(StatusCode::BAD_GATEWAY).body(problem.to_string()),
    };
    let mut reply = HttpResponse::build(answer.status());
    for (name, value) in answer.headers() {
        if !of_one_connection(name) {
            reply.insert_header((name.clone(), value.clone()));
        }
    }
    let length =
        answer.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match length {
        Some(length) => reply.body(SizedStream::new(length, answer)),
        None => reply.streaming(answer),
    }
}

fn of_one_connection(name: &header::HeaderName) -> bool {
    [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name)
}
