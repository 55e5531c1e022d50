//! What is looked at before a feed is served that a flag may put to sleep.

use super::{Check, Verdict};
use crate::chain::Node;
use crate::config::Feed;
use publisher_core::tx::Flag;

/// That its flag can be read, and whether it is raised. A node that is away says nothing of the flag.
pub(super) async fn examine(node: &Node, feed: &Feed, what: &str) -> Option<Check> {
    let at = feed.flag()?;
    Some(match node.flag(at).await {
        Ok(Flag::Raised) => {
            let detail =
                format!("hibernates: {} has the flags of all and of {} raised", at.flags, at.subject);
            Check::new(what, Verdict::Warn, detail, "nothing is published until one of them is lowered")
        }
        Ok(_) => {
            let detail = format!("awake: {} has no two flags raised for {}", at.flags, at.subject);
            Check::new(what, Verdict::Ok, detail, "")
        }
        Err(error) if error.is_contracts_word() => {
            let detail = format!("{} does not answer like a contract of flags: {error}", at.flags);
            let hint = "correct policy.hibernate_flag; nothing is published before it has been read once";
            Check::new(what, Verdict::Wrong, detail, hint)
        }
        Err(error) => Check::new(what, Verdict::Unavailable, error.to_string(), ""),
    })
}
