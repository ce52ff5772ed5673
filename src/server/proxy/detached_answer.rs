//! A call that continues when its client disconnects, because the service charges for it anyway.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::Response;

use super::body::Answer;

/// Whether the client has disconnected.
#[derive(Clone, Default)]
pub(super) struct Left(Arc<AtomicBool>);

impl Left {
    /// Waits within a [`DetachedAnswer`] answer until the client has disconnected. Nothing has to be woken: the answer
    /// then moves to another task, which polls it.
    pub(super) async fn wait(&self) {
        let has_left = || if self.0.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending };
        std::future::poll_fn(|_| has_left()).await;
    }
}

/// An answer in progress, as part of its client's connection. When it is dropped, it continues in a task of its own.
pub(super) struct DetachedAnswer {
    /// Boxed, because a connection keeps room for it.
    answer: Option<Pin<Box<dyn Future<Output = Response<Answer>> + Send>>>,
    left: Left,
    /// The answer if ours panics, which ends neither the connection nor its other calls.
    broken: fn() -> Response<Answer>,
}

impl DetachedAnswer {
    pub(super) fn new(
        answer: impl Future<Output = Response<Answer>> + Send + 'static,
        left: Left,
        broken: fn() -> Response<Answer>,
    ) -> Self {
        Self { answer: Some(Box::pin(answer)), left, broken }
    }
}

impl Future for DetachedAnswer {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(answer) = &mut self.answer else { return Poll::Pending };
        let polled = catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
        let answered = polled.unwrap_or_else(|_| Poll::Ready((self.broken)()));
        if answered.is_ready() {
            self.answer = None;
        }
        answered.map(Ok)
    }
}

impl Drop for DetachedAnswer {
    fn drop(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        self.left.0.store(true, Ordering::Relaxed);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Nobody takes the response. Its body, when dropped, reads the rest by itself.
            runtime.spawn(async move { drop(answer.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::proxy::answers::Trouble;

    #[test]
    fn a_call_whose_code_panics_is_answered_all_the_same() {
        let broken = || Trouble::upstream("broken").answer(false).map(Answer::Own);
        let panics = async { panic!("made by a test") };
        let mut call = std::pin::pin!(DetachedAnswer::new(panics, Left::default(), broken));
        let answered = call.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(answered, Poll::Ready(Ok(answer)) if answer.status() == 502));
    }
}
