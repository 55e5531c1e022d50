//! Calls that old nodes understand.

use alloy::network::Ethereum;
use alloy::providers::fillers::{FillerControlFlow, TxFiller};
use alloy::providers::{Provider, SendableTx};
use alloy::rpc::types::TransactionRequest;
use alloy::transports::TransportResult;

/// Gives the calldata of a call its old name, `data`, which every client knows. A node that knows only that one runs a
/// call with `input` as a call without calldata.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OldName;

impl TxFiller<Ethereum> for OldName {
    type Fillable = ();

    fn status(&self, _: &TransactionRequest) -> FillerControlFlow {
        FillerControlFlow::Finished
    }

    fn fill_sync(&self, _: &mut SendableTx<Ethereum>) {}

    async fn prepare<P: Provider>(&self, _: &P, _: &TransactionRequest) -> TransportResult<()> {
        Ok(())
    }

    async fn fill(&self, (): (), tx: SendableTx<Ethereum>) -> TransportResult<SendableTx<Ethereum>> {
        Ok(tx)
    }

    async fn prepare_call(&self, tx: &mut TransactionRequest) -> TransportResult<()> {
        self.prepare_call_sync(tx)
    }

    fn prepare_call_sync(&self, tx: &mut TransactionRequest) -> TransportResult<()> {
        tx.normalize_data();
        Ok(())
    }
}
