//! Which request a line is about, for all who write one on its way and don't know.
//!
//! The id travels with the task, so that warnings from deep below, of libraries and of panics too, can be found
//! by it.

use actors::ids::RequestId;

tokio::task_local! {
    static REQUEST: RequestId;
}

/// What `work` logs is about that request.
pub fn within<F: Future>(request: RequestId, work: F) -> impl Future<Output = F::Output> {
    REQUEST.scope(request, work)
}

/// The same for work that does not wait.
pub fn during<R>(request: RequestId, work: impl FnOnce() -> R) -> R {
    REQUEST.sync_scope(request, work)
}

/// The request that is being worked on here, if one is.
pub(super) fn current() -> Option<RequestId> {
    REQUEST.try_with(|request| *request).ok()
}
