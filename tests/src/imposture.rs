//! A user's engine that speaks of containers it has not made.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::chown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
use serde_json::{Value, json};

use crate::user::User;

/// It listens until the test process ends, at the usual place below the user's runtime folder.
#[derive(Debug)]
pub struct Impostor {
    user: User,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Id and name of the containers it claims.
    claims: Vec<(String, String)>,
    /// Paths that were asked for.
    asked: Vec<String>,
}

impl Impostor {
    /// Listens as the user: the kernel tells every caller who listens.
    ///
    /// # Errors
    /// The user cannot listen there.
    pub fn listen(user: User) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let impostor = Self { user, state };
        let socket = impostor.socket();
        let uid = impostor.user.uid;
        // Ids belong to threads: only this one becomes the user.
        let listener = thread::spawn(move || -> Result<UnixListener> {
            set_thread_res_gid(Gid::from_raw(uid), Gid::from_raw(uid), Gid::from_raw(uid))?;
            set_thread_res_uid(Uid::from_raw(uid), Uid::from_raw(uid), Uid::from_raw(uid))?;
            Ok(UnixListener::bind(socket)?)
        });
        let listener = listener
            .join()
            .ok()
            .context("the user's thread")?
            .context("listening as the user")?;
        chown(impostor.socket(), Some(uid), Some(uid))?;
        let state = Arc::clone(&impostor.state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&state);
                thread::spawn(move || drop(answer(stream, &state)));
            }
        });
        Ok(impostor)
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.user.runtime().join("docker.sock")
    }

    /// Claims a container.
    pub fn describe(&self, id: &str, name: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.claims.push((id.to_owned(), name.to_owned()));
    }

    /// Whether it was asked about a container before it spoke of it itself.
    #[must_use]
    pub fn was_asked_about(&self, id: &str) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = state.asked.iter().position(|path| path.contains(id));
        let listed = state.asked.iter().position(|path| path == LISTED);
        first.is_some_and(|first| listed.is_none_or(|listed| first < listed))
    }
}

/// Stands among what was asked for the moment from which the claims were known.
const LISTED: &str = "claims were listed";

fn answer(stream: UnixStream, state: &Mutex<State>) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().context("a request")??;
    let path = request.split(' ').nth(1).context("a path")?.to_owned();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    if path.contains("/events") {
        // Says nothing, for as long as the caller listens.
        (&stream).write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        BufReader::new(stream).read_line(&mut String::new())?;
        return Ok(());
    }
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let body = body(&path, &state.claims).to_string();
    let tells = path.contains("/containers/json") && !state.claims.is_empty();
    state.asked.push(path);
    if tells {
        state.asked.push(LISTED.to_owned());
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    (&stream).write_all((head + &body).as_bytes())?;
    Ok(())
}

fn body(path: &str, claims: &[(String, String)]) -> Value {
    if path.ends_with("/version") {
        return json!({
            "Version": "99", "ApiVersion": "1.41", "Components": [{"Name": "Engine"}],
        });
    }
    if path.contains("/containers/json") {
        let listed = claims.iter();
        return listed
            .map(|(id, _)| json!({"Id": id, "State": "running"}))
            .collect();
    }
    let claimed = claims.iter().find(|(id, _)| path.contains(id.as_str()));
    claimed.map_or(
        Value::Null,
        |(id, name)| json!({"Id": id, "Name": name, "Config": {"Image": "innocent:1"}}),
    )
}
