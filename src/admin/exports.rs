//! Exports of the request log, as files that are ordered, waited for and fetched.
//!
//! Who may not look at everything gets own rows in the file, and sees own exports (C-04). What an auditor
//! ordered stays closed to whoever is none any more.

use std::{
    fs::File,
    io::{self, Read as _},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::header::{CONTENT_DISPOSITION, LOCATION, X_CONTENT_TYPE_OPTIONS},
    web::{self, Bytes, BytesMut, Data},
};
use actors::{
    exports::shelf::{Export, FileFormat, Full, Order, Stage},
    ids::{ExportId, KeyId, ProviderId, UserId},
};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, Stream};
use protocol::{Format, Operation};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Admin, Answer, Principal, Right,
    author::Signed,
    body::{Body, Flaws, body},
    error::{Code, Problem},
    query::Listed,
    request_filters::{self, MOST_USD},
    schema::view,
    values::{Amount, Model, Moment, RowId, Term, Whole},
};
use crate::store::{Author, Deed, RequestClass, RequestFilter};

/// What such a file is called on the wire, by its format.
pub(super) const MEDIA: [&str; FileFormat::ALL.len()] =
    ["text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"];
/// Bytes of a file that are read at once.
const CHUNK: usize = 256 << 10;

body! {
    /// Which requests go into a file of what sort: the filters of a list of requests.
    struct ExportBody {
        /// What sort of file.
        format: FileFormat = required,
        /// Of this user.
        user_id: RowId,
        /// With this key.
        key_id: RowId,
        /// Answered by this provider.
        provider_id: RowId,
        /// For this model.
        model: Model,
        /// With this program, up to the first slash or space of its user agent.
        client: Term,
        /// With this status.
        status: Whole<0, 65_535>,
        /// With another status than this.
        not_status: Whole<0, 65_535>,
        /// That went so.
        class: RequestClass,
        /// That spoke this format.
        wire_format: Format,
        /// That asked for this.
        operation: Operation,
        /// That took so many attempts or more.
        min_attempts: Whole<0, 2_147_483_647>,
        /// Of this conversation.
        session: Term,
        /// Begun then or later.
        from: Moment,
        /// Begun before.
        to: Moment,
        /// That cost so much or more.
        min_cost_usd: Amount<MOST_USD>,
    }
}

view! {
    /// An export, and how far it is.
    #[derive(Debug, Serialize)]
    pub(super) struct View {
        id: ExportId,
        /// Who ordered it; none for the holder of the admin token.
        user_id: Option<UserId>,
        format: FileFormat,
        /// The filters that let through what is in it.
        filter: Value,
        /// `waiting`, `running`, `done`, `failed` or `cancelled`.
        state: &'static str,
        rows_written: u64,
        /// As many as there were when it began; none before.
        rows_expected: Option<u64>,
        /// Of the file; while it is being written, what lies on the disk, about.
        bytes: u64,
        created_at: DateTime<Utc>,
        /// From then on it is gone; none while it is under way.
        expires_at: Option<DateTime<Utc>>,
        /// Why it failed.
        error: Option<String>,
    }
}

impl From<Export> for View {
    fn from(export: Export) -> Self {
        let state = export.stage.name();
        let error = if let Stage::Failed(why) = export.stage { Some(why) } else { None };
        Self {
            id: export.id,
            user_id: export.order.owner,
            format: export.order.format,
            filter: export.order.filter,
            state,
            rows_written: export.written.rows,
            rows_expected: export.written.expected,
            bytes: export.written.bytes,
            created_at: export.ordered_at,
            expires_at: export.kept_until,
            error,
        }
    }
}

impl From<Full> for Problem {
    fn from(full: Full) -> Self {
        Self::new(Code::TooManyExports, full.to_string())
    }
}

/// `POST /api/v1/exports`.
pub(super) async fn create(
    admin: Data<Admin>,
    me: Principal,
    Signed(author): Signed,
    Body(body): Body<ExportBody>,
) -> Answer {
    let (format, mut filter) = read(body)?;
    if !request_filters::narrow(&mut filter, &me) {
        return Err(Problem::not_found("user or key"));
    }
    admin.settle_log().await;
    let (owner, of_everyone) = (me.user, me.has(Right::Read));
    let order = Order { owner, of_everyone, format, filter: request_filters::told(&filter) };
    let export = admin.exports.order(order, filter).await??;
    let after = json!({"format": format, "filter": export.order.filter});
    if let Err(problem) = tell(&admin, author, "export.create", export.id, Some(after)).await {
        // What nobody can be held to is not done.
        admin.exports.remove(&export).await?;
        return Err(problem);
    }
    let at = format!("/api/v1/exports/{}", export.id);
    Ok(HttpResponse::Accepted().insert_header((LOCATION, at)).json(View::from(export)))
}

fn read(body: ExportBody) -> Result<(FileFormat, RequestFilter), Problem> {
    let mut flaws = Flaws::default();
    let format = body.format.required("format", &mut flaws);
    flaws.check()?;
    let format = format.ok_or_else(|| Problem::internal("a missing format was not told"))?;
    let filter = RequestFilter {
        user_id: body.user_id.value().map(|id| UserId(id.0)),
        key_id: body.key_id.value().map(|id| KeyId(id.0)),
        provider_id: body.provider_id.value().map(|id| ProviderId(id.0)),
        model: body.model.value().map(|model| model.0),
        client: body.client.value().map(|client| client.0),
        status: body.status.value().and_then(|status| u16::try_from(status.get()).ok()),
        not_status: body.not_status.value().and_then(|status| u16::try_from(status.get()).ok()),
        class: body.class.value(),
        format: body.wire_format.value(),
        operation: body.operation.value(),
        min_attempts: body.min_attempts.value().and_then(|least| u32::try_from(least.get()).ok()),
        session: body.session.value().map(|session| session.0),
        from: body.from.value().map(|from| from.0),
        to: body.to.value().map(|to| to.0),
        min_cost: body.min_cost_usd.value().map(|cost| cost.0.to_pico()),
    };
    Ok((format, filter))
}

/// `GET /api/v1/exports`: the latest first.
pub(super) async fn list(admin: Data<Admin>, me: Principal) -> Answer {
    let all = admin.exports.all().await?.into_iter();
    Listed::whole(all.filter(|export| may_see(&me, export)).map(View::from).collect())
}

/// `GET /api/v1/exports/{id}`.
pub(super) async fn show(admin: Data<Admin>, me: Principal, request: HttpRequest) -> Answer {
    Ok(HttpResponse::Ok().json(View::from(find(&admin, &me, &request).await?)))
}

/// `DELETE /api/v1/exports/{id}`: cancels one under way, removes one that has ended.
pub(super) async fn remove(
    admin: Data<Admin>,
    me: Principal,
    Signed(author): Signed,
    request: HttpRequest,
) -> Answer {
    let export = find(&admin, &me, &request).await?;
    let own = me.user.is_some() && me.user == export.order.owner;
    if !own && !me.has(Right::Admin) {
        let detail = "this export is another's; removing it takes the right `admin`";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    if !admin.exports.remove(&export).await? {
        return Err(Problem::not_found("export"));
    }
    tell(&admin, author, "export.delete", export.id, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /api/v1/exports/{id}/file`.
pub(super) async fn file(admin: Data<Admin>, me: Principal, request: HttpRequest) -> Answer {
    let export = find(&admin, &me, &request).await?;
    if export.stage != Stage::Done {
        let detail = format!("it is {}; only one that is done has a file", export.stage.name());
        return Err(Problem::new(Code::ExportNotDone, detail));
    }
    let format = export.order.format;
    let file = admin.exports.file(&export).map_err(Problem::internal)?;
    let bytes = file.metadata().map_err(Problem::internal)?.len();
    let at = export.ordered_at.format("%Y%m%d-%H%M%S");
    let name = format!("attachment; filename=\"pointsman-requests-{at}.{}\"", format.name());
    Ok(HttpResponse::Ok()
        .content_type(media(format))
        .insert_header((CONTENT_DISPOSITION, name))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(SizedStream::new(bytes, pieces(file))))
}

fn media(format: FileFormat) -> String {
    match format {
        FileFormat::Csv => format!("{}; charset=utf-8; header=present", MEDIA[0]),
        FileFormat::Xlsx => MEDIA[1].to_owned(),
    }
}

/// The file as it is read, off the threads that serve.
fn pieces(file: File) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(file, |mut file| async {
        let read = web::block(move || {
            let mut piece = BytesMut::zeroed(CHUNK);
            let bytes = file.read(&mut piece)?;
            piece.truncate(bytes);
            io::Result::Ok((piece.freeze(), file))
        });
        let (piece, file) = read.await.map_err(io::Error::other)??;
        Ok(Some((piece, file)).filter(|(piece, _)| !piece.is_empty()))
    })
}

async fn find(admin: &Admin, me: &Principal, request: &HttpRequest) -> Result<Export, Problem> {
    let not_found = || Problem::not_found("export");
    let id = request.match_info().query("id").parse().map(ExportId).map_err(|_| not_found())?;
    let export = admin.exports.get(id).await?.filter(|export| may_see(me, export));
    export.ok_or_else(not_found)
}

fn may_see(me: &Principal, export: &Export) -> bool {
    me.has(Right::Read) || (!export.order.of_everyone && me.sees(export.order.owner))
}

async fn tell(
    admin: &Admin,
    author: Author,
    action: &'static str,
    id: ExportId,
    after: Option<Value>,
) -> Result<(), Problem> {
    let deed = Deed { author, action, subject: format!("export/{id}"), before: None, after };
    Ok(admin.store.remember(deed, &[]).await?)
}
