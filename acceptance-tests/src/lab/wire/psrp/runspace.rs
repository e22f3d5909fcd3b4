//! A runspace pool and its pipelines, as processes of a shell: what they read and write are fragments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use uuid::Uuid;

use crate::lab::wire::machine::{Ended, Machine, Process, ProcessHost};
use crate::lab::wire::psrp::fragment::{self, Assembler};
use crate::lab::wire::psrp::message::{Message, kind};
use crate::lab::wire::psrp::{Malformed, Pipeline, Thrown, clixml};

/// Largest fragment that is sent: half of what a WS-Management message of 150 KB has room for.
const FRAGMENT: usize = 32 * 1024;

/// An open pool.
#[derive(Debug)]
pub struct Pool {
    id: Uuid,
    /// Number of the next message that is sent.
    next_object: AtomicU64,
}

impl Pool {
    /// Opens the pool that a client asked for with base64 in `creationXml`.
    ///
    /// # Errors
    /// When that does not begin a session.
    pub fn open(creation: &str) -> Result<Arc<Self>, Malformed> {
        let mut assembler = Assembler::default();
        let messages = assembler.add(&decode(creation)?)?;
        let [capability, init] = &messages[..] else {
            return Err(Malformed(format!("a session begins with 2 messages, not {}", messages.len())));
        };
        Message::read(capability)?.expect(kind::SESSION_CAPABILITY)?;
        let init = Message::read(init)?;
        init.expect(kind::INIT_RUNSPACEPOOL)?;
        Ok(Arc::new(Self { id: init.pool, next_object: AtomicU64::new(1) }))
    }

    /// The process whose output the shell itself gives: that the pool is open. It stays until the shell is closed.
    pub fn streams(self: &Arc<Self>) -> Process {
        let pool = Arc::clone(self);
        Process::spawn(move |process| async move {
            // Windows does not know the pool yet when it says what it can do.
            let capability = pool.message(Uuid::nil(), kind::SESSION_CAPABILITY, clixml::SESSION_CAPABILITY);
            let capability = Message { pool: Uuid::nil(), ..capability };
            let data = pool.message(Uuid::nil(), kind::APPLICATION_PRIVATE_DATA, clixml::APPLICATION_PRIVATE_DATA);
            let opened = pool.message(Uuid::nil(), kind::RUNSPACEPOOL_STATE, clixml::RUNSPACEPOOL_OPENED);
            for message in [capability, data, opened] {
                if pool.send(&process, &message).await.is_err() {
                    return;
                }
            }
            process.killed().await;
        })
    }

    /// The process of the pipeline that base64 in a command's argument begins; more of it may follow on standard input.
    ///
    /// # Errors
    /// When that begins no pipeline.
    pub fn pipeline(self: &Arc<Self>, machine: &Arc<dyn Machine>, argument: &str) -> Result<Process, Malformed> {
        let mut input = Input::default();
        input.add(&decode(argument)?)?;
        let (pool, machine) = (Arc::clone(self), Arc::clone(machine));
        Ok(Process::spawn(move |process| async move {
            // A client that hangs up is the end of it.
            let _ = pool.run(machine, input, process).await;
        }))
    }

    async fn run(&self, machine: Arc<dyn Machine>, mut input: Input, mut process: ProcessHost) -> Result<(), Ended> {
        let (id, result) = match input.next(&mut process).await {
            Ok(create) => (create.pipeline, play(&*machine, &create, &mut input, &mut process).await),
            Err(malformed) => (Uuid::nil(), Err(Thrown(malformed.0))),
        };
        let state = match result {
            Ok(output) => {
                for object in output {
                    let data = clixml::string(&object);
                    self.send(&process, &self.message(id, kind::PIPELINE_OUTPUT, &data)).await?;
                }
                clixml::PIPELINE_COMPLETED.to_owned()
            }
            Err(thrown) => clixml::pipeline_failed(&thrown),
        };
        self.send(&process, &self.message(id, kind::PIPELINE_STATE, &state)).await?;
        process.exit(0).await;
        Ok(())
    }

    fn message(&self, pipeline: Uuid, kind: u32, data: &str) -> Message {
        Message { kind, pool: self.id, pipeline, data: data.to_owned() }
    }

    async fn send(&self, process: &ProcessHost, message: &Message) -> Result<(), Ended> {
        let object = self.next_object.fetch_add(1, Ordering::Relaxed);
        for fragment in fragment::cut(object, &message.write(), FRAGMENT) {
            process.stdout(fragment).await?;
        }
        Ok(())
    }
}

/// Runs the script of a pipeline to its end.
async fn play(
    machine: &dyn Machine,
    create: &Message,
    input: &mut Input,
    process: &mut ProcessHost,
) -> Result<Vec<String>, Thrown> {
    let unheard = |malformed: Malformed| Thrown(malformed.0);
    create.expect(kind::CREATE_PIPELINE).map_err(unheard)?;
    let script = clixml::read_script(&create.data).map_err(unheard)?;
    let mut pipeline: Box<dyn Pipeline> = machine.begin(&script)?;
    loop {
        let message = input.next(process).await.map_err(unheard)?;
        if message.kind == kind::END_OF_PIPELINE_INPUT {
            return pipeline.end();
        }
        message.expect(kind::PIPELINE_INPUT).map_err(unheard)?;
        let object = clixml::read_string(&message.data).map_err(unheard)?;
        pipeline.process(&object)?;
    }
}

/// What a pipeline is sent.
#[derive(Default)]
struct Input {
    assembler: Assembler,
    /// Messages that have not been looked at.
    waiting: std::collections::VecDeque<Vec<u8>>,
}

impl Input {
    fn add(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.waiting.extend(self.assembler.add(bytes)?);
        Ok(())
    }

    /// The next message.
    async fn next(&mut self, process: &mut ProcessHost) -> Result<Message, Malformed> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Message::read(&message);
            }
            let chunk = process.read_stdin().await;
            let chunk = chunk.ok_or_else(|| Malformed("the input ended in the middle of a pipeline".to_owned()))?;
            self.add(&chunk)?;
        }
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Malformed> {
    let text: String = text.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(text).map_err(|error| Malformed(format!("base64: {error}")))
}
