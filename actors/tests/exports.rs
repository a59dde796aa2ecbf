//! What the clerk of exports promises: nobody's place is lost with a writer, and no order with a panic.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::sync::{Mutex, PoisonError};

use actix::Arbiter;
use actors::{
    Gateway, Settings,
    clock::Clock,
    exports::{
        Clerk,
        messages::{Ended, Expire, List, Remove, Show, Take, Turn},
        shelf::{Export, FileFormat, Halt, Order, Stage, Written},
    },
    ids::{ExportId, UserId},
    supervisor::{Mailbox, Undelivered},
    testkit::{fault, time},
};

/// Every house has one clerk of the same name, and a fault that is armed strikes the first who comes: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn clerk() -> Mailbox<Clerk> {
    Gateway::start(&Arbiter::current(), Clock::system(), Settings::default()).exports().clone()
}

async fn take(clerk: &Mailbox<Clerk>, owner: i64) -> ExportId {
    let (owner, format, filter) = (Some(UserId(owner)), FileFormat::Csv, serde_json::Value::Null);
    let order = Order { owner, of_everyone: false, format, filter };
    clerk.ask(Take(order)).await.unwrap().unwrap().id
}

async fn stage(clerk: &Mailbox<Clerk>, id: ExportId) -> Stage {
    clerk.ask(Show(id)).await.unwrap().unwrap().stage
}

#[test]
fn a_writer_that_breaks_off_gives_its_place_to_the_next() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    time::simulated(async {
        let clerk = clerk();
        let (one, two, three) = (take(&clerk, 1).await, take(&clerk, 2).await, take(&clerk, 3).await);
        let pass = clerk.ask(Turn(one)).await.unwrap();
        let second = clerk.ask(Turn(two)).await.unwrap();
        let third = tokio::task::spawn_local({
            let clerk = clerk.clone();
            async move { clerk.ask(Turn(three)).await }
        });
        time::quiet().await;
        assert!(!third.is_finished(), "two are written at a time");
        drop(pass);
        let third = third.await.unwrap().unwrap();
        assert!(matches!(stage(&clerk, one).await, Stage::Failed(why) if why.contains("broke off")));

        // Cancelled while it is written: its writer hears of it, and what it says in the end is no news.
        let written = Written { rows: 5, expected: Some(9), bytes: 100 };
        assert_eq!(second.went(written).await, Ok(()));
        assert!(clerk.ask(Remove(two)).await.unwrap());
        assert_eq!(second.went(written).await, Err(Halt::Cancelled));
        second.end(Ok(written));
        assert_eq!(stage(&clerk, two).await, Stage::Cancelled);

        // Cancelled while it waits: its writer is sent away.
        third.end(Ok(written));
        assert_eq!(stage(&clerk, three).await, Stage::Done);
        assert!(clerk.ask(Remove(one)).await.unwrap());
        assert_eq!(clerk.ask(Turn(one)).await.map(|_| ()), Err(Undelivered::Lost));
    });
}

#[test]
fn i33_a_panic_costs_the_order_in_hand_and_no_other() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    fault::hush();
    time::simulated(async {
        let clerk = clerk();
        let id = take(&clerk, 1).await;
        fault::arm(fault::TAKE, "clerk", 1);
        let order = Order {
            owner: None,
            of_everyone: true,
            format: FileFormat::Xlsx,
            filter: serde_json::Value::Null,
        };
        assert_eq!(clerk.ask(Take(order)).await.map(|_| ()), Err(Undelivered::Lost));
        let all: Vec<Export> = clerk.ask(List).await.unwrap();
        assert_eq!(all.iter().map(|export| export.id).collect::<Vec<_>>(), [id]);
        let pass = clerk.ask(Turn(id)).await.unwrap();
        pass.end(Err("no luck".to_owned()));
        assert_eq!(stage(&clerk, id).await, Stage::Failed("no luck".to_owned()));
        tokio::time::sleep(std::time::Duration::from_secs(24 * 3_600)).await;
        let over: Vec<Export> = clerk.ask(Expire).await.unwrap();
        assert_eq!(over.iter().map(|export| export.id).collect::<Vec<_>>(), [id]);
        clerk.tell(Ended { id, end: Err("too late".to_owned()) });
        assert_eq!(clerk.ask(Show(id)).await.unwrap(), None);
    });
}
