//! `-R`: carries out the lines of an input, as ipvsadm does.
//!
//! Words are split at blanks; a word `ipvsadm` is dropped wherever it stands; there are no quotes and no
//! comments. A refused change is reported and the run goes on; a line that does not pass validation ends it.
//! The status is that of the last line. Changes travel in batches, as many as are there to be read.

use std::io::{BufRead, BufReader, Read};

use sluice_api::Request;

use crate::failure::{Dialect, EXIT_MINUS_ONE, Failure, refusal_text};
use crate::line::LineAction;
use crate::options::Command;
use crate::parse::parse;
use crate::run::act;
use crate::session::Session;

/// Changes in a batch at most: far below the size limit of a request, and each is answered within moments.
const BATCH: usize = 256;

/// Carries out all lines.
pub(crate) fn restore<R: Read>(session: &mut Session, mut input: BufReader<R>) -> Result<(), Failure> {
    let mut run = Run { session, queue: Vec::new(), last: Ok(()) };
    let mut line = Vec::new();
    loop {
        // Waiting for more input with changes in hand would keep a writer at the other end of a pipe waiting.
        let would_wait = !input.buffer().contains(&b'\n');
        if would_wait || run.queue.len() >= BATCH {
            run.flush()?;
        }
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.map_err(|error| input_error(&run.session.program, &error))? == 0 {
            break;
        }
        if run.line(&line)?.is_break() {
            break;
        }
    }
    run.flush()?;
    run.last
}

/// Standard input could not be read.
pub(crate) fn input_error(program: &str, error: &std::io::Error) -> Failure {
    Failure::Run { text: format!("{program}: standard input: {error}"), exit: 2 }
}

struct Run<'a> {
    session: &'a mut Session,
    queue: Vec<(Command, Request)>,
    /// How the last line that was carried out ended; reported by then.
    last: Result<(), Failure>,
}

impl Run<'_> {
    fn line(&mut self, line: &[u8]) -> Result<std::ops::ControlFlow<()>, Failure> {
        use std::ops::ControlFlow::{Break, Continue};
        let text = String::from_utf8_lossy(line);
        let words: Vec<String> = text
            .split([' ', '\t', '\r', '\n'])
            .filter(|word| !word.is_empty() && *word != "ipvsadm")
            .map(str::to_owned)
            .collect();
        if words.is_empty() {
            return Ok(Continue(()));
        }
        // Where to send and how to print was said on the command line: no options of our own in here.
        match parse(&words, &self.session.program, Dialect::Ipvsadm) {
            Ok(line) => match line.action {
                LineAction::Change(command, request) => self.queue.push((command, request)),
                LineAction::Help | LineAction::Version => {
                    self.flush()?;
                    self.last = act(self.session, line.action);
                    return Ok(Break(()));
                }
                other => {
                    self.flush()?;
                    let done = act(self.session, other);
                    self.note(done)?;
                }
            },
            Err(failure) => {
                self.flush()?;
                self.note(Err(failure))?;
            }
        }
        Ok(Continue(()))
    }

    /// Sends what is queued and reports what was refused, in order.
    fn flush(&mut self) -> Result<(), Failure> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let (commands, requests): (Vec<_>, Vec<_>) = self.queue.drain(..).unzip();
        let outcomes = self.session.changes(&requests)?;
        for (command, outcome) in commands.into_iter().zip(outcomes) {
            match outcome {
                Ok(applied) => {
                    self.session.warn(&applied)?;
                    self.last = Ok(());
                }
                Err(refusal) => {
                    let text = refusal_text(&refusal, command, self.session.dialect);
                    self.note(Err(Failure::Line { text, exit: EXIT_MINUS_ONE }))?;
                }
            }
        }
        Ok(())
    }

    /// Reports a failed line and remembers its status; what ends the run is handed on.
    fn note(&mut self, outcome: Result<(), Failure>) -> Result<(), Failure> {
        self.last = match outcome {
            Err(Failure::Line { text, exit }) => {
                self.session.complain(&text)?;
                Err(Failure::Line { text: String::new(), exit })
            }
            other => {
                other?;
                Ok(())
            }
        };
        Ok(())
    }
}
