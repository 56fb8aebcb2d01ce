//! Canaries: a secret in every place that a secret is known to travel in.

use bstr::BString;

use super::*;

const CANARY: &str = "c4n4ry";

fn redactor() -> Redactor {
    Redactor::new(&RedactionOptions::default()).expect("the table compiles")
}

#[test]
fn a_secret_in_text_is_hidden_and_its_surroundings_stay() {
    let redactor = redactor();
    for (text, expected) in [
        (
            "app --password c4n4ry --port 80",
            "app --password [redacted] --port 80",
        ),
        (
            "app --password=c4n4ry --port 80",
            "app --password=[redacted] --port 80",
        ),
        (
            "app --password 'c4n4ry c4n4ry' x",
            "app --password [redacted] x",
        ),
        ("app -password c4n4ry", "app -password [redacted]"),
        (
            "app --db-password=\"c4n4ry x\" y",
            "app --db-password=[redacted] y",
        ),
        (
            "env DB_PASSWORD=c4n4ry run",
            "env DB_PASSWORD=[redacted] run",
        ),
        (
            "docker run -e API_TOKEN=c4n4ry img",
            "docker run -e API_TOKEN=[redacted] img",
        ),
        (
            "docker run --env=API_TOKEN=c4n4ry img",
            "docker run --env=API_TOKEN=[redacted] img",
        ),
        (
            "sh -c export A_SECRET=c4n4ry; rm -rf /",
            "sh -c export A_SECRET=[redacted]; rm -rf /",
        ),
        ("mysql -u root -pc4n4ry db", "mysql -u root -p[redacted] db"),
        (
            "sh -c /usr/bin/mysqldump -uroot -pc4n4ry",
            "sh -c /usr/bin/mysqldump -uroot -p[redacted]",
        ),
        ("mysql -p db", "mysql -p db"),
        ("ssh -p 22 host", "ssh -p 22 host"),
        ("docker run -p 80:80 img", "docker run -p 80:80 img"),
        (
            "docker login -u me -p c4n4ry reg",
            "docker login -u me -p [redacted] reg",
        ),
        (
            "redis-cli -h db -a c4n4ry ping",
            "redis-cli -h db -a [redacted] ping",
        ),
        ("curl -u me:c4n4ry http://x", "curl -u [redacted] http://x"),
        (
            "curl -H 'Authorization: Bearer c4n4ry' http://x",
            "curl -H 'Authorization: Bearer [redacted]' http://x",
        ),
        (
            "curl -H Authorization: Basic c4n4ry",
            "curl -H Authorization: Basic [redacted]",
        ),
        (
            "curl -H 'X-Api-Key: c4n4ry' http://x",
            "curl -H 'X-Api-Key: [redacted]' http://x",
        ),
        (
            "GET /?user=me&token=c4n4ry&x=1",
            "GET /?user=me&token=[redacted]&x=1",
        ),
        (
            "psql postgres://me:c4n4ry@db/x",
            "psql postgres://me:[redacted]@db/x",
        ),
        (
            "psql postgres://me:c4@n4ry@db/x",
            "psql postgres://me:[redacted]@db/x",
        ),
        (
            "{\"password\":\"c4n4ry\",\"user\":\"me\"}",
            "{\"password\":[redacted],\"user\":\"me\"}",
        ),
        ("password: c4n4ry", "password: [redacted]"),
        ("id AKIAABCDEFGHIJKLMNOP used", "id [redacted] used"),
        (
            "AWS_SECRET_ACCESS_KEY=c4n4ry/c4n4ry",
            "AWS_SECRET_ACCESS_KEY=[redacted]",
        ),
        ("x eyJhbGciOi.eyJzdWIi.c4n4ry y", "x [redacted] y"),
        ("ghp_c4n4ryc4n4ryc4n4ryc4n4ry", "[redacted]"),
        (
            "swarm join --token SWMTKN-1-c4n4ryc4n4ryc4n4ryc4n4ry",
            "swarm join --token [redacted]",
        ),
        (
            "k=-----BEGIN RSA PRIVATE KEY-----\nc4n4ry\n-----END RSA",
            "k=-----BEGIN RSA PRIVATE KEY-----[redacted]-----END RSA",
        ),
        (
            "-----BEGIN PRIVATE KEY----- c4n4ry",
            "-----BEGIN PRIVATE KEY-----[redacted]",
        ),
    ] {
        let shown = redactor.text(text, &Phrases::default());
        assert_eq!(shown, expected);
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    let redactor = redactor();
    for text in [
        "",
        "cat /run/secrets/db_password",
        "mysqld --user=mysql --datadir=/var/lib/mysql",
        "postgres -c config_file=/etc/postgresql.conf",
        "app --password-file /run/secrets/pw",
        "POSTGRES_PASSWORD_FILE=/run/secrets/pw",
        "docker run -v /run/secrets/token:/run/secrets/token img",
        "PWD=/srv OLDPWD=/",
        "http://example.org:8080/a@b",
        "python3 -m tokenizer --max-tokens 100",
        "basic configuration of the bearer",
    ] {
        assert_eq!(redactor.text(text, &Phrases::default()), text);
    }
}

#[test]
fn secrets_with_spaces_and_shell_characters_are_hidden_where_the_vector_is_known() {
    let redactor = redactor();
    for args in [
        &["--password", "c4n4ry with; c4n4ry"][..],
        &["--password=c4n4ry & c4n4ry", "x"],
        &["-e", "DB_PASSWORD=c4n4ry \"c4n4ry\""],
        &["-pc4n4ry c4n4ry"],
        &["--api-key", "c4n4ry 'c4n4ry'", "--verbose"],
    ] {
        let args: Vec<BString> = args.iter().copied().map(BString::from).collect();
        let phrases = redactor.phrases(b"mysql", &args, &[]);
        let line = format!(
            "mysql {}",
            bstr::join(" ", &args)
                .iter()
                .map(|&byte| char::from(byte))
                .collect::<String>()
        );
        let shown = redactor.text(&line, &phrases);
        assert!(!shown.contains(CANARY), "{shown}");
        assert!(shown.contains(REDACTED), "{shown}");
    }
}

#[test]
fn a_secret_that_is_printed_alone_is_hidden() {
    let redactor = redactor();
    let args = ["--password", "c4n4ry", "/etc/shadow"].map(BString::from);
    let phrases = redactor.phrases(b"app", &args, &[]);
    for field in ["proc.args[1]", "proc.arglist", "container.health_check"] {
        assert_eq!(
            redactor.field(field, "c4n4ry", &phrases),
            REDACTED,
            "{field}"
        );
    }
    assert_eq!(
        redactor.field("proc.args[2]", "/etc/shadow", &phrases),
        "/etc/shadow"
    );
}

#[test]
fn a_password_flag_cannot_hide_a_script_or_a_path() {
    let redactor = redactor();
    let args: Vec<BString> = ["-c", "X_TOKEN=1; cat /etc/shadow"]
        .map(BString::from)
        .to_vec();
    let phrases = redactor.phrases(b"sh", &args, &[]);
    assert_eq!(
        redactor.text("sh -c X_TOKEN=1; cat /etc/shadow", &phrases),
        "sh -c X_TOKEN=[redacted]; cat /etc/shadow"
    );
    let args: Vec<BString> = ["--password", "/etc/shadow"].map(BString::from).to_vec();
    let phrases = redactor.phrases(b"cat", &args, &[]);
    assert_eq!(redactor.text("/etc/shadow", &phrases), "/etc/shadow");
}

#[test]
fn environment_and_labels_are_hidden_by_name() {
    let redactor = redactor();
    let env = [
        BString::from("DB_PASSWORD=c4n4ry and more c4n4ry"),
        BString::from("LANG=C"),
    ];
    let phrases = redactor.phrases(b"app", &[], &env);
    let joined = "DB_PASSWORD=c4n4ry and more c4n4ry LANG=C";
    assert_eq!(
        redactor.text(joined, &phrases),
        "DB_PASSWORD=[redacted] LANG=C"
    );
    for (field, value, expected) in [
        ("proc.env[DB_PASSWORD]", "c4n4ry", REDACTED),
        ("proc.env[LANG]", "C", "C"),
        ("container.label.api-token", "c4n4ry", REDACTED),
        ("container.label[api-token]", "c4n4ry", REDACTED),
        ("k8s.pod.label.api-token", "c4n4ry", REDACTED),
        ("proc.aname[2]", "sh", "sh"),
    ] {
        assert_eq!(
            redactor.field(field, value, &Phrases::default()),
            expected,
            "{field}"
        );
    }
}

#[test]
fn the_table_can_be_extended_and_switched_off() {
    let mut options = RedactionOptions {
        names: vec!["pin".into()],
        patterns: vec!["acme-([0-9]+)".into()],
        ..RedactionOptions::default()
    };
    let own = Redactor::new(&options).expect("these patterns compile");
    assert_eq!(
        own.text("x --pin 1234 acme-5678", &Phrases::default()),
        "x --pin [redacted] acme-[redacted]"
    );
    options.enabled = false;
    let off = Redactor::new(&options).expect("these patterns compile");
    assert_eq!(
        off.text("--password x", &Phrases::default()),
        "--password x"
    );
    options.patterns = vec!["(".into()];
    assert!(Redactor::new(&options).is_err());
}

#[test]
fn a_hostile_text_takes_linear_time() {
    let redactor = redactor();
    let started = std::time::Instant::now();
    for unit in [
        "--password '",
        "x=",
        "password=",
        "--password ",
        "-----BEGIN PRIVATE KEY-----",
        "a://b:",
        "'\"",
        "mysql -p",
    ] {
        let text = unit.repeat(64 * 1024 / unit.len());
        let _ = redactor.text(&text, &Phrases::default());
        assert!(
            started.elapsed().as_secs() < 10,
            "{unit}: {:?}",
            started.elapsed()
        );
    }
}

#[test]
fn arguments_are_hidden_in_their_places_however_many_hold_secrets() {
    let redactor = redactor();
    let mut args: Vec<BString> = Vec::new();
    let mut expected: Vec<Option<&str>> = Vec::new();
    for (arg, hidden) in [
        ("-uroot", None),
        ("-pc4n4ry c4n4ry", Some("-p[redacted]")),
        ("--password", None),
        ("c4n4ry c4n4ry", Some("[redacted]")),
        ("--token=c4n4ry c4n4ry", Some("--token=[redacted]")),
        (
            "https://me:c4n4ry@host/",
            Some("https://me:[redacted]@host/"),
        ),
        ("-c", None),
        ("A_SECRET=c4n4ry; ls", Some("A_SECRET=[redacted]; ls")),
        ("db", None),
    ] {
        args.push(arg.into());
        expected.push(hidden);
    }
    for _ in 0..5 {
        args.extend_from_within(..9.min(args.len()));
        expected.extend_from_within(..9.min(expected.len()));
    }
    args.push(vec![0xff].into());
    expected.push(None);
    let hidden = redactor.arguments(b"/usr/bin/mysql", &args);
    let hidden: Vec<Option<&str>> = hidden.iter().map(Option::as_deref).collect();
    assert_eq!(hidden, expected);

    let off = Redactor::new(&RedactionOptions {
        enabled: false,
        ..RedactionOptions::default()
    })
    .expect("the table compiles");
    assert_eq!(off.arguments(b"mysql", &args), vec![None; args.len()]);
}
