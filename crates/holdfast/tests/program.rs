//! The program as people run it: its words, its exit codes, its files.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn holdfast(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.args(line.split_whitespace());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOLDFAST_")) {
        command.env_remove(name);
    }
    command
}

fn run(line: &str) -> Output {
    holdfast(line).output().expect("the program runs")
}

#[track_caller]
fn check(output: &Output, code: i32, expected: &[&str]) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for words in expected {
        assert!(text.contains(words), "{words:?} is missing in:\n{text}");
    }
}

/// A server, with what it said until it was ready.
struct Server {
    process: Child,
    out: BufReader<ChildStdout>,
    said: String,
}

/// A server on this directory, on ports of its own.
fn serve(data_dir: &Path) -> String {
    format!("serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --data-dir {}", data_dir.display())
}

impl Server {
    fn start(data_dir: &Path) -> Self {
        Self::start_as(&mut holdfast(&serve(data_dir)))
    }

    fn start_as(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program runs");
        let mut out = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut said = String::new();
        while !said.ends_with("Ready.\n") {
            assert_ne!(out.read_line(&mut said).expect("text"), 0, "it ended before it was ready:\n{said}");
        }
        Self { process, out, said }
    }

    /// The operators' address.
    fn admin(&self) -> &str {
        let line = self.said.lines().find(|line| line.starts_with("Operators:")).expect("it is told");
        line.rsplit("http://").next().expect("a URL")
    }

    /// Sends a signal, waits for the end, and gives the exit code and everything that was said.
    fn signal(mut self, name: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args([format!("-{name}"), self.process.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        self.out.read_to_string(&mut self.said).expect("text");
        (self.process.wait().expect("it ends").code(), self.said)
    }
}

#[test]
fn a_server_says_where_it_is_keeps_its_tokens_private_and_stops_gracefully() {
    for name in ["TERM", "INT"] {
        let dir = tempfile::tempdir().expect("a directory");
        let data_dir = dir.path().join("data");
        let server = Server::start(&data_dir);
        assert!(server.said.contains("http://127.0.0.1:") && !server.said.contains("127.0.0.1:0\n"), "{}", server.said);
        for token in ["admin-token", "service-token"] {
            let mode = std::fs::metadata(data_dir.join(token)).expect("a token").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{token}");
        }
        let (code, said) = server.signal(name);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(&format!("SIG{name}: stopping")) && said.contains("the log is closed"), "{said}");
    }
}

#[test]
fn a_second_process_on_the_same_data_directory_is_refused_in_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Server::start(dir.path());
    check(&run(&serve(dir.path())), 1, &["cannot be opened", "in use by process"]);
    assert_eq!(first.signal("TERM").0, Some(0));
}

#[test]
fn a_server_comes_back_with_the_same_tokens() {
    let dir = tempfile::tempdir().expect("a directory");
    let token = || std::fs::read_to_string(dir.path().join("admin-token")).expect("a token");
    Server::start(dir.path()).signal("TERM");
    let before = token();
    Server::start(dir.path()).signal("TERM");
    assert_eq!(token(), before);
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("an entry");
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}

/// Every start claims the log with a record of its own, so an older copy of the log's files lacks records that the
/// anchor knows of.
#[test]
fn a_log_that_lacks_what_was_acknowledged_is_damage_and_the_words_say_where_and_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data_dir, aside) = (dir.path().join("data"), dir.path().join("aside"));
    let generation = data_dir.join("partition-000/gen-00000001");
    Server::start(&data_dir).signal("TERM");
    copy(&generation, &aside);
    Server::start(&data_dir).signal("TERM");
    std::fs::remove_dir_all(&generation).expect("it is there");
    copy(&aside, &generation);
    check(&run(&serve(&data_dir)), 4, &["is damaged", "where:", "what to do:"]);
}

#[test]
fn an_unknown_key_in_the_file_is_refused_by_its_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("holdfast.toml");
    std::fs::write(&file, "listne = \"127.0.0.1:0\"\n").expect("a file");
    for command in ["serve", "config show"] {
        check(&run(&format!("{command} --config {}", file.display())), 2, &["unknown key `listne`"]);
    }
}

#[test]
fn config_show_tells_each_value_and_where_it_came_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("holdfast.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\npartitions = 4\n")
        .expect("a file");
    let output = holdfast("config show --listen 127.0.0.1:5 --log fjall")
        .env("HOLDFAST_CONFIG", &file)
        .env("HOLDFAST_ADMIN_LISTEN", "127.0.0.1:6")
        .env("HOLDFAST_SERVICE_TOKEN", "a-token-nobody-should-see")
        .output()
        .expect("the program runs");
    check(
        &output,
        0,
        &["127.0.0.1:5", "flag --listen", "fjall", "127.0.0.1:6", "environment HOLDFAST_ADMIN_LISTEN", "file"],
    );
    assert!(!String::from_utf8_lossy(&output.stdout).contains("nobody-should-see"));
}

#[test]
fn nonsense_on_the_command_line_ends_with_2_and_help_with_0() {
    assert_eq!(run("fly").status.code(), Some(2));
    check(&run("--help"), 0, &["Exit codes", "holdfast demo"]);
    check(&run("serve --help"), 0, &["HOLDFAST_LISTEN", "[default: 127.0.0.1:8080]", "SIGTERM", "70"]);
}

#[test]
fn a_directory_with_other_files_in_it_is_no_place_for_a_new_shop_and_is_left_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("passwd"), "").expect("a file");
    check(&run(&serve(dir.path())), 1, &["is not empty", "data.toml", "passwd"]);
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 1);
}

#[test]
fn a_directory_that_was_served_before_is_not_called_new() {
    let dir = tempfile::tempdir().expect("a directory");
    let said = |server: Server| server.signal("TERM").1;
    assert!(said(Server::start(dir.path())).contains("this data directory is new"));
    let again = said(Server::start(dir.path()));
    assert!(again.contains("no items yet") && !again.contains("is new"), "{again}");
}

#[test]
fn what_the_configuration_makes_impossible_ends_with_2_and_what_the_machine_does_with_1() {
    let dir = tempfile::tempdir().expect("a directory");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("it is bound");
    let data = format!("--data-dir {}", dir.path().join("data").display());
    check(&run(&format!("serve --listen localhost:8080 {data}")), 2, &["`listen`", "not looked up"]);
    check(&run(&format!("serve --listen {at} --admin-listen {at} {data}")), 2, &["`listen`", "`admin_listen`"]);
    let other = "--admin-listen 127.0.0.1:0";
    check(&run(&format!("serve --listen {at} {other} {data}")), 1, &["`listen`", "already", "--listen", "because:"]);
    check(&run(&format!("serve --stripe-secret-key pk_live_0123456789 {data}")), 2, &["`stripe.secret_key`"]);
}

#[test]
fn one_token_for_operators_and_services_ends_with_2_and_says_which_file_to_delete() {
    let dir = tempfile::tempdir().expect("a directory");
    Server::start(dir.path()).signal("TERM");
    let service = dir.path().join("service-token");
    std::fs::copy(dir.path().join("admin-token"), &service).expect("a copy");
    let remedy = format!("Delete {}", service.display());
    check(&run(&serve(dir.path())), 2, &["are the same", &remedy]);
    std::fs::remove_file(&service).expect("it is there");
    assert_eq!(Server::start(dir.path()).signal("TERM").0, Some(0), "as it was told");
}

#[test]
fn a_listener_on_every_interface_is_introduced_as_such_and_gateways_that_are_everybody_are_warned_of() {
    let dir = tempfile::tempdir().expect("a directory");
    let line = format!(
        "serve --listen 0.0.0.0:0 --admin-listen 127.0.0.1:0 --gateway-peers 0.0.0.0/0 --data-dir {}",
        dir.path().display()
    );
    let (said, logged) = said_and_logged(&line);
    let line = said.lines().find(|line| line.starts_with("Customers and services:")).expect("it is told");
    assert!(line.contains("every interface") && line.contains("http://127.0.0.1:"), "{said}");
    assert!(logged.contains("gateway.peers has 0.0.0.0/0"), "{logged}");
}

/// What a server says until it has stopped, and what it logs.
fn said_and_logged(line: &str) -> (String, String) {
    let mut server = Server::start_as(holdfast(line).stderr(Stdio::piped()));
    let mut stderr = server.process.stderr.take().expect("it is piped");
    let logged = std::thread::spawn(move || {
        let mut logged = String::new();
        stderr.read_to_string(&mut logged).expect("text");
        logged
    });
    let (code, said) = server.signal("TERM");
    assert_eq!(code, Some(0), "{said}");
    (said, logged.join().expect("no panic"))
}

#[test]
fn a_level_alone_is_not_for_the_libraries_beneath() {
    let dir = tempfile::tempdir().expect("a directory");
    let logged = |filter: &str| said_and_logged(&format!("{} --log-filter {filter}", serve(dir.path()))).1;
    let of_sled = |logged: &str| logged.lines().any(|line| line.contains(" sled::") || line.contains(" sled:"));
    let debug = logged("trace");
    assert!(!of_sled(&debug) && !debug.contains("rustls"), "{debug}");
    assert!(of_sled(&logged("trace,sled=trace")), "unless they are named");
}

#[test]
fn an_item_whose_provider_is_not_there_is_warned_of_at_the_next_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start_as(holdfast(&serve(dir.path())).args(["--simulated-enabled", "true"]));
    let token = std::fs::read_to_string(dir.path().join("admin-token")).expect("a token");
    let item =
        r#"{"sku":"lamp","total":1,"unit_price":{"amount":1,"currency":"USD"},"payments":{"provider":"simulated"}}"#;
    let mut connection = std::net::TcpStream::connect(server.admin()).expect("it listens");
    write!(
        connection,
        "POST /v1/admin/items HTTP/1.1\r\nhost: holdfast\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{item}",
        token.trim(),
        item.len()
    )
    .expect("it is sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.signal("TERM");
    let (_, logged) = said_and_logged(&serve(dir.path()));
    assert!(logged.contains("payments.provider simulated") && logged.contains("lamp"), "{logged}");
    let (_, logged) = said_and_logged(&format!("{} --simulated-enabled true", serve(dir.path())));
    assert!(!logged.contains("payments.provider"), "{logged}");
}

#[test]
fn an_audit_of_what_is_no_data_directory_and_one_without_room_say_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = run(&format!("audit {}", dir.path().display()));
    check(&output, 1, &["is no data directory", "Give the directory"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("because:"), "once is enough");
    let nowhere = dir.path().join("nowhere");
    let output = holdfast(&format!("audit {}", dir.path().display())).env("TMPDIR", &nowhere).output();
    check(&output.expect("the program runs"), 1, &["could not make a directory in", "TMPDIR"]);
}

#[test]
fn an_audit_of_a_copy_that_lacks_what_was_acknowledged_says_where_and_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data_dir, aside) = (dir.path().join("data"), dir.path().join("aside"));
    Server::start(&data_dir).signal("TERM");
    copy(&data_dir.join("partition-000/gen-00000001"), &aside);
    Server::start(&data_dir).signal("TERM");
    let generation = data_dir.join("partition-000/gen-00000001");
    std::fs::remove_dir_all(&generation).expect("it is there");
    copy(&aside, &generation);
    let place = format!("where: {}", generation.display());
    let words = ["it is missing", &place, "what it means:", "what to do:", "restore the latest backup"];
    check(&run(&format!("audit {}", data_dir.display())), 4, &words);
}

#[test]
fn a_small_demo_keeps_every_promise() {
    let line = "demo --exit --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --scale 0.1 --customers 600 --stock 80 \
                --arrive-within-ms 100 --hold-time-ms 1000 --seed 7";
    check(&run(line), 0, &["buyers who hold one", "0 contradictions", "Every promise is kept."]);
}
