//! A stack as people run it, from Debian's packages: a web server whose configuration, certificate and key are Swarm secrets, an
//! application with a secret and a volume, a database that takes its password from a file. Load, reloads and rolling updates
//! give no alert; everybody who has no business reading a secret gives one.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tempfile::TempDir;
use vigia_tests::agent::{ALERT_LIMIT, list};
use vigia_tests::debian::services::Images;
use vigia_tests::docker::{Docker, Secret, Stack, Swarm, succeeded};
use vigia_tests::rules::SECRET_READ;
use vigia_tests::scene::{self, Programs, Turn};
use vigia_tests::wait::{self, seconds};
use vigia_tests::{Alert, Scene, command};

/// The test configuration's window in which a container counts as starting, and some.
const WINDOW_S: u64 = 4;
/// How long a service may take to start and to be replaced.
const LIMIT: Duration = seconds(90);
const PASSWORD: &str = "correct-horse-battery-staple";
const MESSAGE: &str = "meet-at-noon";
/// All of the stack.
const SERVICES: [&str; 3] = ["web", "app", "database"];

/// The deployed stack and an agent. Fields are dropped from top to bottom.
struct Shop {
    stack: Stack,
    scene: Scene,
    images: Images,
    /// Beside the certificate: what the web server is given when its key is renewed.
    renewed_key: Secret,
    _swarm: Swarm,
    _folder: TempDir,
}

impl Shop {
    fn open() -> Result<Option<Self>> {
        let Some(programs) = Programs::find()? else {
            return Ok(None);
        };
        let turn = Turn::take()?;
        let docker = Docker::find()?;
        docker.sweep()?;
        let images = Images::make(&docker, &["app", "postgres"])?;
        let folder = tempfile::Builder::new().prefix("vigia-stack-").tempdir()?;
        let key = lay_secrets(&images, folder.path())?;
        let swarm = Swarm::join_or_make(&docker)?;
        let overrides = [
            ("/secrets/window_s", json!(3)),
            ("/throttle/window_s", json!(0)),
        ];
        let scene = Scene::on(docker.clone(), turn, &programs, &overrides, &[])?;
        let renewed_key = Secret::create(&docker, "renewed", &key)?;
        let stack = Stack::deploy(
            &docker,
            &folder.path().join("stack.yml"),
            &[
                ("BASE_IMAGE", images.base.clone()),
                ("APP_IMAGE", images.of("app")?.to_owned()),
                ("DATABASE_IMAGE", images.of("postgres")?.to_owned()),
            ],
        )?;
        let shop = Self {
            stack,
            scene,
            images,
            renewed_key,
            _swarm: swarm,
            _folder: folder,
        };
        for service in SERVICES {
            shop.container(service)
                .with_context(|| shop.stack.describe(service))?;
        }
        Ok(Some(shop))
    }

    /// Waits until exactly one container of a service is there, runs, and is healthy if anybody checks; its id.
    fn container(&self, service: &str) -> Result<String> {
        const STATE: &str = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}";
        wait::until(
            &format!("one healthy container of {service}"),
            LIMIT,
            || match self.stack.running(service).ok()?.as_slice() {
                [id] => {
                    let state = self
                        .scene
                        .docker
                        .output(&["inspect", "--format", STATE, id]);
                    matches!(state.ok()?.trim(), "running" | "running healthy").then(|| id.clone())
                }
                _ => None,
            },
        )
    }

    /// Runs a script among the services, to its end; what it printed.
    fn among(&self, script: &str) -> Result<String> {
        let network = format!("--network={}", self.stack.service("default"));
        let password = format!("--env=PGPASSWORD={PASSWORD}");
        let options = [network.as_str(), &password];
        let docker = &self.scene.docker;
        let (_client, output) =
            docker.run(&options, &self.images.base, &["bash", "-euc", script])?;
        succeeded(&output).context("a client of the services")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Puts all services under load for some time.
    fn load(&self, time: Duration) -> Result<()> {
        // A client may not take longer than any command.
        const AT_A_TIME: Duration = seconds(30);
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.load_once(left.min(AT_A_TIME))?;
        }
    }

    fn load_once(&self, time: Duration) -> Result<()> {
        let script = format!(
            r"
            export PGHOST=database PGUSER=postgres PGDATABASE=shop
            until psql -qtAc 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
            psql -qtAc 'SELECT 1 FROM pgbench_branches LIMIT 1' >/dev/null 2>&1 || pgbench --initialize --quiet 2>/dev/null
            wrk --threads=1 --connections=8 --duration={time}s https://web:8443/ & web=$!
            wrk --threads=1 --connections=8 --duration={time}s http://app:8000/ & app=$!
            pgbench --client=4 --time={time} 2>/dev/null
            wait $web; wait $app
            ",
            time = time.as_secs().max(1)
        );
        let said = self.among(&script)?;
        let counts: Vec<u64> = said
            .lines()
            .filter_map(|line| {
                let requests = line.split_once(" requests in ").map(|(count, _)| count);
                let transactions = line.strip_prefix("number of transactions actually processed: ");
                requests
                    .or(transactions)?
                    .split('/')
                    .next()?
                    .trim()
                    .parse()
                    .ok()
            })
            .collect();
        ensure!(
            counts.len() == SERVICES.len() && counts.iter().all(|count| *count >= 10),
            "no load: {counts:?} in {said}"
        );
        Ok(())
    }

    /// Updates a service and waits until it is another container.
    fn update(&self, service: &str, options: &[&str]) -> Result<()> {
        let before = self.container(service)?;
        let name = self.stack.service(service);
        let update = ["service", "update", "--detach", "--force"];
        self.scene
            .docker
            .output(&[&update[..], options, &[&name]].concat())?;
        wait::until(&format!("the update of {service}"), LIMIT, || {
            let containers = self.stack.running(service).ok()?;
            (!containers.contains(&before) && !containers.is_empty()).then_some(())
        })?;
        self.container(service).map(drop)
    }

    /// Has the web server reload as its manual says, by way of `docker exec`.
    fn reload_from_inside(&self) -> Result<()> {
        const CONFIGURATION: &str = "/run/secrets/nginx.conf";
        let web = self.container("web")?;
        let exec = ["exec", web.as_str(), "nginx"];
        for options in [
            &["-c", CONFIGURATION, "-s", "reload"][..],
            &["-s", "reload", "-c", CONFIGURATION],
        ] {
            let docker = &self.scene.docker;
            succeeded(&docker.attempt(&[&exec[..], options].concat())?)
                .with_context(|| options.join(" "))?;
        }
        Ok(())
    }

    /// Has a process of the web server run a command line.
    fn through_web(&self, order: &str) -> Result<()> {
        let url = "https://web:8443/hole";
        self.among(&format!("curl --silent --fail --insecure --get --data-urlencode @- {url} <<'ORDER'\n{order}\nORDER"))
            .map(drop)
    }

    /// Has the application run a command line.
    fn through_app(&self, order: &str) -> Result<()> {
        self.among(&format!(
            "curl --silent --fail --data-binary @- http://app:8000/ <<'ORDER'\n{order}\nORDER"
        ))
        .map(drop)
    }

    /// Fails for any alert but those about containers that are not of this test.
    fn expect_silence(&self, what: &str) -> Result<()> {
        self.scene.settle()?;
        self.scene.agent.refuse(what, |alert| {
            alert
                .text("/container/image/repository")
                .contains("services")
                || alert.text("/container/swarm/stack") == self.stack.name
                || alert.container_id().is_empty()
        })
    }

    /// Does a misdeed with a secret, and holds that it gives one alert of the right kind, in words.
    fn expect_one(&self, misdeed: &Misdeed) -> Result<()> {
        let reads = || -> Vec<Alert> {
            let alerts = self.scene.agent.alerts().into_iter();
            alerts.filter(|alert| alert.rule() == SECRET_READ).collect()
        };
        let before = reads().len();
        (misdeed.act)(self)?;
        wait::until("the alert", ALERT_LIMIT, || {
            (reads().len() > before).then_some(())
        })?;
        self.scene.settle()?;
        let alerts = reads().split_off(before);
        ensure!(
            alerts.len() == 1,
            "{} alerts:\n  {}",
            alerts.len(),
            list(&alerts)
        );
        let alert = &alerts[0];
        for (pointer, expected) in [
            ("/evidence/secret/reader", misdeed.reader),
            ("/container/swarm/service", &misdeed.service(self)),
            ("/evidence/secret/source", "swarm"),
        ] {
            ensure!(
                alert.text(pointer) == expected,
                "{pointer} is not {expected}: {}",
                alert.json()
            );
        }
        let secret = alert.text("/evidence/secret/name");
        ensure!(
            secret.contains(misdeed.secret),
            "{secret}: {}",
            alert.json()
        );
        let reason = alert.text("/evidence/secret/reason");
        for word in misdeed.says {
            ensure!(reason.contains(word), "no {word:?} in {reason:?}");
        }
        ensure!(
            !alert.mentions(PASSWORD) && !alert.mentions(MESSAGE) && !alert.mentions("PRIVATE KEY"),
            "the alert leaks a secret"
        );
        Ok(())
    }
}

/// What somebody does who has no business reading a secret, and what is told of it.
struct Misdeed {
    what: &'static str,
    act: fn(&Shop) -> Result<()>,
    /// The service the alert is about; empty for none.
    of: &'static str,
    /// What is in the secret's name, between what makes it unique.
    secret: &'static str,
    reader: &'static str,
    says: &'static [&'static str],
}

impl Misdeed {
    fn service(&self, shop: &Shop) -> String {
        match self.of {
            "" => String::new(),
            of => shop.stack.service(of),
        }
    }
}

/// Makes the files of the stack's secrets and puts the stack's file beside them; a further private key, in PEM.
fn lay_secrets(images: &Images, folder: &Path) -> Result<String> {
    let (key, certificate) = images.certificate()?;
    for file in ["stack.yml", "nginx.conf"] {
        let kept = scene::repository().join("tests/services/stack").join(file);
        std::fs::copy(kept, folder.join(file))?;
    }
    for (name, content) in [
        ("localhost.key", key.as_str()),
        ("localhost.pem", &certificate),
        ("message.txt", MESSAGE),
        ("db-password", PASSWORD),
    ] {
        std::fs::write(folder.join(name), content)?;
    }
    Ok(key)
}

#[test]
fn a_stack_works_in_silence_and_every_misdeed_is_told_once() -> Result<()> {
    let Some(shop) = Shop::open()? else {
        return Ok(());
    };
    shop.load(seconds(5)).context("load")?;
    shop.expect_silence("start and load")?;
    let load = scene::time(scene::LOAD_S, scene::DEFAULT_LOAD_S)?;
    thread::scope(|scope| {
        let under_load = scope.spawn(|| shop.load(load));
        shop.scene
            .docker
            .output(&["kill", "--signal=HUP", &shop.container("web")?])?;
        shop.update("app", &[])?;
        let outcome = under_load
            .join()
            .map_err(|_| anyhow::anyhow!("the load panicked"))?;
        outcome.context("load during a reload and an update")
    })?;
    shop.expect_silence("load, a reload and an update")?;
    shop.reload_from_inside()?;
    shop.expect_silence("reloads by docker exec")?;
    let renewed = format!("source={},target=localhost.key", shop.renewed_key.name);
    shop.update(
        "web",
        &[
            "--secret-rm",
            &shop.stack.service("localhost.key"),
            "--secret-add",
            &renewed,
        ],
    )?;
    shop.update("database", &[])?;
    let started = Instant::now();
    shop.load(seconds(2)).context("load after updates")?;
    shop.expect_silence("a renewed key and a new database")?;
    wait::until("the window to pass", seconds(WINDOW_S + 1), || {
        (started.elapsed() > seconds(WINDOW_S)).then_some(())
    })?;
    for misdeed in MISDEEDS {
        shop.expect_one(misdeed).context(misdeed.what)?;
    }
    Ok(())
}

const KEY: &str = "/run/secrets/localhost.key";

const MISDEEDS: &[Misdeed] = &[
    Misdeed {
        what: "docker exec reads the key",
        act: |shop| {
            let web = shop.container("web")?;
            succeeded(&shop.scene.docker.attempt(&["exec", &web, "cat", KEY])?)
        },
        of: "web",
        secret: "renewed",
        reader: "entered",
        says: &["entered the container from outside", "cat"],
    },
    Misdeed {
        what: "a child of the web server reads the key",
        act: |shop| shop.through_web(&format!("cat {KEY} | wc -c")),
        of: "web",
        secret: "renewed",
        reader: "late",
        says: &[
            "did not run when the container started",
            "nginx -> ",
            "dash -> cat",
            "the label vigia.secret-readers=/usr/bin/cat",
        ],
    },
    Misdeed {
        what: "another script of the same interpreter reads the message",
        act: |shop| shop.through_app("exec python3 -c 'open(\"/run/secrets/message.txt\").read()'"),
        of: "app",
        secret: "message.txt",
        reader: "late",
        says: &[
            "did not run when the container started",
            "main.py -> dash -> python3",
            "the label vigia.secret-readers=/usr/bin/python3",
        ],
    },
    Misdeed {
        what: "a copied program reads the message",
        act: |shop| shop.through_app("cp /bin/cat /data/cat; /data/cat /run/secrets/message.txt"),
        of: "app",
        secret: "message.txt",
        reader: "dropped",
        says: &[
            "/data/cat is not from the image but from a writable volume",
            "main.py -> dash -> cat",
        ],
    },
    Misdeed {
        what: "a process of the host reads the password",
        act: |shop| {
            let database = shop.container("database")?;
            let state = ["inspect", "--format={{.State.Pid}}", &database];
            let pid = shop.scene.docker.output(&state)?;
            let path = format!("/proc/{pid}/root/run/secrets/db-password");
            command::output(command::limited(seconds(10), "cat").arg(path)).map(drop)
        },
        of: "",
        secret: "db-password",
        reader: "host",
        says: &["a process outside containers", "cat"],
    },
    Misdeed {
        what: "another service reaches the key through /proc",
        act: |shop| {
            let pid = format!("--pid=container:{}", shop.container("web")?);
            let read = ["cat", &format!("/proc/1/root{KEY}")];
            let (_sidecar, output) =
                shop.scene
                    .docker
                    .run(&["--network=none", &pid], &shop.images.base, &read)?;
            succeeded(&output)
        },
        of: "",
        secret: "renewed",
        reader: "foreign",
        says: &["its container was not granted this secret", "cat"],
    },
];
