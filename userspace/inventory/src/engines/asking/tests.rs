use super::*;

const ID: &str = "cb88e9aa616de881d907571c99dd391a8b8e42a205685db372ef402055eb838a";

/// An engine that knows every container, or none.
#[derive(Clone)]
struct Knows(bool);

impl Api for Knows {
    const LATE: &'static [Duration] = &[];

    async fn answer(self, _: Question, _: Attempt) -> Result<Reply, EngineError> {
        match self.0 {
            true => Ok(Reply::Inspected(Engine::Docker, Box::default())),
            false => Err(EngineError::Status {
                path: String::new(),
                status: 404,
                message: String::new(),
            }),
        }
    }
}

/// How many messages there are until nothing is asked any more.
async fn said(asking: &mut Asking<Knows>) -> usize {
    let mut said = 0;
    while !asking.open.is_empty() {
        let done = asking.next().await;
        said += asking.answered(done).expect("it lives").len();
    }
    said
}

#[tokio::test]
async fn what_changes_while_it_is_being_answered_is_asked_for_once_more() {
    for knows in [true, false] {
        let mut asking = Asking::new(Knows(knows), Engine::Docker);
        for _ in 0..3 {
            asking.announced(ID.into());
        }
        assert_eq!(said(&mut asking).await, 1, "it was not asked for yet");

        asking.announced(ID.into());
        asking.start();
        for _ in 0..3 {
            asking.announced(ID.into());
        }
        assert_eq!(said(&mut asking).await, 2);

        asking.announced(ID.into());
        asking.start();
        asking.request(EngineRequest::Inspect(ID.into()));
        asking.reconcile(vec![ID.into()]);
        assert_eq!(said(&mut asking).await, 1, "nothing has changed");
    }
}
