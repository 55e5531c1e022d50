//! Prices that venues push over WebSocket, beside the ones that are polled.
//!
//! A [`Line`] keeps one socket open for some of a venue's markets, for ever: it connects, lets a [`session`] say what
//! is said, tells of quotes, and connects anew, with a jittered wait that grows from 1 s to 60 s and starts again only
//! after a minute of prices. Before a venue ends a connection for its age, the next one is open.
//!
//! Invariants: the socket is always read, whatever is still to be written; timers run beside it, so silence is
//! noticed; messages of a socket are handled in their order; a socket's trouble reaches the quotes of nobody else. A
//! quote over a stream counts no more and no less than one over HTTP: the newer one holds.

mod dial;
mod market;
mod plan;
mod record;
mod script;
mod session;
mod token;
mod unpack;

pub use record::{Enough, Recording};
pub(super) use script::Script;
pub use session::{End, Kind};
pub(super) use token::Counter;

use super::guard::Guard;
use super::limits::{redacted, socket_fault};
use super::pace::Jitter;
use super::preset::Preset;
use super::problem::{Problems, SourceSetupError};
use dial::{Failure, Socket, dial};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, StreamExt};
use plan::Plan;
use publisher_core::quote::{MarketId, Observation, VenueId};
use publisher_core::time::{Mono, Span, Wall};
use session::{Action, Session};
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use token::Token;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use url::Url;

/// Frames of ours that may wait for the other side to read.
const OUTBOX_MAX: usize = 256;
/// A socket that was replaced is kept until the next one has its answers, but no longer than this.
const OVERLAP: Span = Span::from_s(10);
/// After so long a venue that limits or bans us, or does not serve where we are, is asked again at the earliest.
const LIMITED: Span = Span::from_s(60);
const BANNED: Span = Span::from_s(600);
const GEO_BLOCKED: Span = Span::from_s(3600);

/// What a configuration says about a venue's stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamSpec {
    /// It is not listened to.
    pub off: bool,
    /// Another place that speaks the venue's protocol. As the operator wrote it down, it may be a private address,
    /// and without TLS.
    pub url: Option<Url>,
    /// How old a quote of the venue may be for whoever is strictest; `None` if nobody says.
    pub max_age: Option<Span>,
}

/// What the polls of a venue brought last.
pub type Polled = Arc<[Observation]>;

/// One socket's worth of a venue's markets.
#[derive(Debug)]
pub struct Line {
    plan: Arc<Plan>,
    /// When its venue's lines may open sockets.
    turns: Turns,
    hosts: Vec<Url>,
    guard: Guard,
    /// Where tokens are asked for, if the venue wants them.
    counter: Counter,
    /// Time between polls while a market is quiet.
    quiet_every: Span,
}

/// What a line tells of itself.
#[derive(Debug)]
pub enum Told<'a> {
    /// A socket is open.
    Up {
        /// Scheme, host and port.
        host: String,
    },
    /// A socket is not used any more, or could not be opened.
    Down {
        /// Why.
        why: End,
        /// The same in words, without a URL.
        detail: &'a str,
    },
    /// A message was read.
    Heard(Kind),
    /// Quotes, in the order in which they came.
    Quotes(Vec<Observation>),
    /// How it stands; told when it changes.
    Stands(LineState),
}

/// How a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineState {
    /// A socket is open.
    pub open: bool,
    /// Markets that are subscribed to.
    pub live: usize,
    /// How well its markets are covered.
    pub cover: Cover,
}

/// How well a stream covers markets, which says how much depends on polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cover {
    /// One of them may be lost: polls are what they are without a stream.
    #[default]
    None,
    /// Those that say nothing have nothing to say, as far as is known: their socket lives, and HTTP repeats itself.
    Quiet,
    /// Each has given a price of late, and has missed none.
    Fresh,
}

/// Time between two sockets that are opened to a venue: the fewest that one is known to take are three a second (OKX).
const SPACING: Span = Span::from_ms(400);

/// When the next socket of a venue may be opened. All of its lines share it, because a venue that cuts them all at once
/// counts those that come back as it counted the first ones.
#[derive(Clone, Debug, Default)]
struct Turns(Arc<Mutex<Option<Instant>>>);

impl Turns {
    /// The first time from now on that is no other line's.
    fn take(&self, now: Instant) -> Instant {
        // A change is complete in itself, so a panic elsewhere leaves it usable.
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + SPACING.into());
        turn
    }
}

/// The lines of a venue, and whether they are for all of its markets.
///
/// # Errors
/// If no socket can be opened at the place that the configuration names.
pub(super) fn lines(
    preset: &Preset,
    spec: &StreamSpec,
    venue: &VenueId,
    markets: &[MarketId],
    counter: &Counter,
) -> Result<Vec<Line>, SourceSetupError> {
    let Some(stream) = preset.stream.as_ref().filter(|_| !spec.off) else { return Ok(Vec::new()) };
    let mut problems = Problems::default();
    if let Some((url, (reason, hint))) = spec.url.as_ref().and_then(|url| Some((url, socket_fault(url)?))) {
        problems.add("stream_url", redacted(url), reason, hint);
    }
    if let Some(url) = &spec.url {
        counter.way.check("stream_url", url, &mut problems);
    }
    let (hosts, guard) = match &spec.url {
        Some(url) => (vec![url.clone()], Guard::AllowPrivate),
        // Whoever asks a mirror does not ask the venue itself behind its back.
        None if counter.hosts != preset.hosts => (Vec::new(), Guard::Public),
        None => (stream.hosts.clone(), Guard::Public),
    };
    let plans = if hosts.is_empty() {
        Vec::new()
    } else {
        Plan::all(&Arc::new(stream.clone()), markets, preset.no_time_penalty)
    };
    let half = spec.max_age.map(|max_age| Span::from_ms(max_age.ms() / 2));
    let quiet_every = half.map_or(stream.cross_check, |half| half.min(stream.cross_check));
    let turns = Turns::default();
    let line = |plan| Line {
        plan: Arc::new(plan),
        turns: turns.clone(),
        hosts: hosts.clone(),
        guard,
        counter: counter.clone(),
        quiet_every,
    };
    problems.finish(venue.as_str(), Some(plans.into_iter().map(line).collect()))
}

impl Line {
    /// Its markets.
    pub fn markets(&self) -> &[MarketId] {
        self.plan.feeds()
    }

    /// Time between polls of its markets while they are so well covered, at least. A quote of a market that is quiet
    /// comes by polls alone: it is renewed before it is as old as half of what anybody takes, so that a poll may fail.
    pub fn poll_every(&self, cover: Cover) -> Span {
        match cover {
            Cover::None => Span::ZERO,
            Cover::Quiet => self.quiet_every,
            Cover::Fresh => self.plan.preset.cross_check,
        }
    }

    /// Listens for ever. `seed` decides the jitter of its waits; `polled` has what HTTP says about the same markets.
    pub async fn listen(
        &self,
        seed: u64,
        clock: impl Fn() -> Wall + Sync,
        mut polled: watch::Receiver<Polled>,
        mut tell: impl FnMut(Told<'_>),
    ) {
        let began = Instant::now();
        let mono = || Mono::from_ms(Span::from(began.elapsed()).ms());
        let mut hosts = Hosts { line: self, clock: &clock, at: 0, blocked: 0, jitter: Jitter::new(seed) };
        // The last session, for what it had learned.
        let mut known: Option<Session> = None;
        let (mut current, mut former): (Option<Talk>, Option<(Talk, Mono)>) = (None, None);
        let mut dialing = Some(hosts.dial(Span::ZERO));
        let mut state = LineState::default();
        loop {
            let (now, wake) =
                (mono(), |talk: &Talk| began + talk.session.wake_at(mono()).since(Mono::default()).into());
            tokio::select! {
                dialed = wait(&mut dialing) => {
                    dialing = None;
                    match dialed {
                        Ok((socket, ping)) => {
                            let before = current.as_ref().map(|talk| &talk.session).or(known.as_ref());
                            let session = match before {
                                Some(session) => session.successor(mono()),
                                None => Session::new(Arc::clone(&self.plan), mono()),
                            };
                            let session = session.pinging(ping);
                            former = current.replace(Talk::new(socket, session)).map(|talk| (talk, mono()));
                            tell(Told::Up { host: hosts.name() });
                        }
                        Err(failure) => {
                            tell(Told::Down { why: End::Refused, detail: &failure.detail });
                            dialing = Some(hosts.dial_after(&failure));
                        }
                    }
                }
                step = step(current.as_mut(), wake) => {
                    let ended = current.as_mut().and_then(|talk| talk.act(step, mono(), clock(), &mut tell));
                    if let (Some((why, detail)), Some(talk)) = (ended, current.take_if(|_| ended.is_some())) {
                        tell(Told::Down { why, detail });
                        if talk.session.is_proved(mono()) {
                            hosts.jitter.reset();
                        }
                        known = Some(talk.session);
                        if dialing.is_none() {
                            dialing = Some(hosts.dial_anew(why));
                        }
                    }
                }
                step = step(former.as_mut().map(|(talk, _)| talk), wake) => {
                    let ended = former.as_mut().and_then(|(talk, _)| talk.act(step, mono(), clock(), &mut tell));
                    former.take_if(|_| ended.is_some());
                }
                Ok(()) = polled.changed() => {
                    let observations = Arc::clone(&polled.borrow_and_update());
                    if let Some(talk) = &mut current
                        && let Some(end) = talk.session.polled(now, &observations)
                    {
                        talk.ended = Some((end, words(end)));
                    }
                }
            }
            let now = mono();
            if dialing.is_none() && current.as_ref().is_some_and(|talk| talk.session.is_old(now)) {
                dialing = Some(hosts.dial(Span::ZERO));
            }
            let replaced = |since: Mono| {
                now.since(since) >= OVERLAP || current.as_ref().is_some_and(|talk| talk.session.is_settled())
            };
            if former.take_if(|(_, since)| replaced(*since)).is_some() {
                tell(Told::Down { why: End::Retired, detail: "the next one is open" });
            }
            let talks = || current.iter().chain(former.iter().map(|(talk, _)| talk));
            let stands = LineState {
                open: current.is_some(),
                live: talks().map(|talk| talk.session.live()).max().unwrap_or_default(),
                cover: talks().map(|talk| talk.session.cover(now)).max().unwrap_or_default(),
            };
            if std::mem::replace(&mut state, stands) != stands {
                tell(Told::Stands(stands));
            }
        }
    }
}

/// Where the next connection goes, and when.
struct Hosts<'a, C> {
    line: &'a Line,
    clock: &'a C,
    at: usize,
    /// Hosts in a row that do not serve us.
    blocked: usize,
    jitter: Jitter,
}

/// A socket, and how often the venue wants a ping on it, if it says so.
type Dialed = Result<(Socket, Option<Span>), Failure>;
type Dialing<'a> = Pin<Box<dyn Future<Output = Dialed> + Send + 'a>>;

impl<'a, C: Fn() -> Wall + Sync> Hosts<'a, C> {
    fn host(&self) -> Option<&'a Url> {
        self.line.hosts.get(self.at % self.line.hosts.len().max(1))
    }

    fn name(&self) -> String {
        self.host().map(redacted).unwrap_or_default()
    }

    fn dial(&self, after: Span) -> Dialing<'a> {
        let (line, clock, host, turn) = (self.line, self.clock, self.host(), self.at);
        Box::pin(async move {
            sleep(after.into()).await;
            sleep_until(line.turns.take(Instant::now())).await;
            let preset = &line.plan.preset;
            let token = match &preset.pre_request {
                Some(rule) => line.counter.ask(rule, turn, clock).await?,
                None => Token::default(),
            };
            let base = token.host.as_ref().or(host).map_or("", Url::as_str).trim_end_matches('/');
            let url = Url::parse(&format!("{base}{}", line.plan.path(&token.value)));
            let url = url.map_err(|_| Failure::new("the stream's URL cannot be built"))?;
            let socket = dial(&url, line.guard, &line.counter.way, preset.message_max_bytes).await?;
            Ok((socket, token.ping))
        })
    }

    /// After a connection that ended. One that was of no use, or that the venue did not ask to end, goes elsewhere.
    fn dial_anew(&mut self, why: End) -> Dialing<'a> {
        if !matches!(why, End::Asked | End::Retired) {
            self.at = self.at.wrapping_add(1);
        }
        self.blocked = 0;
        let wait = self.jitter.next();
        self.dial(wait)
    }

    /// After a connection that was refused.
    fn dial_after(&mut self, failure: &Failure) -> Dialing<'a> {
        self.at = self.at.wrapping_add(1);
        let is_blocked = matches!(failure.status, Some(403 | 451));
        self.blocked = if is_blocked { self.blocked.saturating_add(1) } else { 0 };
        let least = match failure.status {
            Some(429) => LIMITED,
            Some(418) => BANNED,
            // Another host may serve where this one does not.
            _ if is_blocked && self.blocked >= self.line.hosts.len() => GEO_BLOCKED,
            _ => Span::ZERO,
        };
        let wait = self.jitter.next().max(least);
        self.dial(wait)
    }
}

async fn wait(dialing: &mut Option<Dialing<'_>>) -> Dialed {
    match dialing {
        Some(dialing) => dialing.await,
        None => pending().await,
    }
}

/// A socket and what is said on it.
struct Talk {
    sink: SplitSink<Socket, Message>,
    stream: SplitStream<Socket>,
    outbox: VecDeque<Message>,
    is_flushed: bool,
    session: Session,
    /// It is to end for a reason from outside.
    ended: Option<(End, &'static str)>,
}

/// What happened first.
enum Step {
    Text(Bytes),
    Binary(Bytes),
    /// A ping or pong.
    Alive,
    Written,
    Time,
    Broken(End, &'static str),
}

/// Waits for the next thing to happen. Safe to cancel: nothing that was read or is to be written is lost.
async fn step(talk: Option<&mut Talk>, wake: impl Fn(&Talk) -> Instant) -> Step {
    let Some(talk) = talk else { return pending().await };
    if let Some((end, detail)) = talk.ended {
        return Step::Broken(end, detail);
    }
    let wake = wake(talk);
    tokio::select! {
        message = talk.stream.next() => match message {
            Some(Ok(Message::Text(text))) => Step::Text(text.into()),
            Some(Ok(Message::Binary(bytes))) => Step::Binary(bytes),
            // The library answers pings.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Step::Alive,
            Some(Ok(Message::Close(_))) | None => Step::Broken(End::Closed, "the venue closed the connection"),
            Some(Err(error)) => {
                let (end, detail) = dial::broken(&error);
                Step::Broken(end, detail)
            }
        },
        written = write(&mut talk.sink, &mut talk.outbox), if !talk.is_flushed => match written {
            Ok(()) => Step::Written,
            Err(error) => {
                let (end, detail) = dial::broken(&error);
                Step::Broken(end, detail)
            }
        },
        () = sleep_until(wake) => Step::Time,
    }
}

/// Hands over what waits, and waits until it is on its way. A frame leaves the queue only when it is handed over.
async fn write(sink: &mut SplitSink<Socket, Message>, outbox: &mut VecDeque<Message>) -> Result<(), Error> {
    poll_fn(|context| {
        let mut sink = Pin::new(&mut *sink);
        while !outbox.is_empty() {
            ready!(sink.as_mut().poll_ready(context))?;
            if let Some(frame) = outbox.pop_front() {
                sink.as_mut().start_send(frame)?;
            }
        }
        ready!(sink.poll_flush(context))?;
        Poll::Ready(Ok(()))
    })
    .await
}

impl Talk {
    fn new(socket: Socket, session: Session) -> Self {
        let (sink, stream) = socket.split();
        Self { sink, stream, outbox: VecDeque::new(), is_flushed: true, session, ended: None }
    }

    /// Does what a step asks for; says why the socket is to end, if it is.
    fn act(
        &mut self,
        step: Step,
        now: Mono,
        wall: Wall,
        tell: &mut impl FnMut(Told<'_>),
    ) -> Option<(End, &'static str)> {
        let mut actions = match step {
            Step::Broken(end, detail) => return Some((end, detail)),
            Step::Text(text) => {
                let (kind, actions) = self.session.hear(now, wall, &text);
                tell(Told::Heard(kind));
                actions
            }
            Step::Binary(frame) => {
                let (kind, actions) = self.session.hear_packed(now, wall, &frame);
                tell(Told::Heard(kind));
                actions
            }
            Step::Alive => {
                self.session.alive(now);
                Vec::new()
            }
            Step::Written => {
                self.is_flushed = true;
                Vec::new()
            }
            Step::Time => Vec::new(),
        };
        actions.extend(self.session.tick(now, wall));
        for action in actions {
            match action {
                Action::Write(text) => self.put(Message::text(text)),
                Action::Ping => self.put(Message::Ping(Bytes::new())),
                Action::Quotes(quotes) => {
                    tell(Told::Quotes(quotes.into_iter().map(Observation::Quote).collect()));
                }
                Action::End(end) => return Some((end, words(end))),
            }
        }
        (self.outbox.len() > OUTBOX_MAX).then_some((End::Flooded, words(End::Flooded)))
    }

    fn put(&mut self, frame: Message) {
        self.outbox.push_back(frame);
        self.is_flushed = false;
    }
}

/// What a session found, for an operator.
const fn words(end: End) -> &'static str {
    match end {
        End::Refused => "it cannot be opened",
        End::Closed => "the venue closed the connection",
        End::TooLarge => "a message is larger than the limit",
        End::Idle => "nothing comes, not even an answer to a ping",
        End::Unanswered => "it is alive, and answers no request",
        End::Canary => "it is alive, and its most liquid market is silent",
        End::Silent => "a market is silent while its price moves",
        End::Frozen => "a market repeats itself while its price moves",
        End::Unreadable => "too many messages cannot be read",
        End::Asked => "the venue asks for a new connection",
        End::Flooded => "it asks for more than it reads",
        End::Retired => "the next one is open",
    }
}

#[cfg(test)]
mod tests;
