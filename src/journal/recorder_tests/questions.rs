//! Questions about balances, answered in their turn.

use super::*;

#[actix::test]
async fn a_question_hears_everything_that_was_recorded_before_and_up_to_which_number() {
    let rig = Rig::new(Script::default());
    let ask =
        || BalancesAsk { account: AccountId::User(UserId(1)), ranges: vec![0..1, 1..2], by_minute: None };
    let numbers: Vec<u64> = records(3).into_iter().map(|record| rig.recorder.record(record)).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let first = rig.recorder.balances(vec![ask(), ask()]);
    let second = async {
        rig.recorder.record(records(1).remove(0));
        rig.recorder.balances(vec![ask()]).await
    };
    let (first, second) = futures_util::future::join(first, second).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.includes, first.balances.len(), first.balances[0].sums[0]), (3, 2, Pico(3)));
    assert_eq!((second.includes, second.balances[0].sums[0]), (4, Pico(4)));
}

#[actix::test]
async fn while_the_database_is_away_a_question_is_refused_and_not_left_waiting() {
    let rig = Rig::new(Script { away: usize::MAX, ..Script::default() });
    let ask = || vec![BalancesAsk { account: AccountId::User(UserId(1)), ranges: vec![], by_minute: None }];
    assert!(rig.recorder.balances(ask()).await.is_err(), "asked the database");
    rig.record(&records(1));
    let began = Instant::now();
    assert!(rig.recorder.balances(ask()).await.is_err(), "in the queue when that was noticed");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    rig.script(|script| script.away = 0);
    rig.recorder.flush().await;
    assert!(rig.recorder.balances(ask()).await.is_ok());
}
