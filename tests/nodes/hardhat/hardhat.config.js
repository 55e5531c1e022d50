// The Hardhat node of the tests. The keys are public: the first of every development node, and two of the signer double.
const balance = "1" + "0".repeat(24);
const keys = [
  "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "01".repeat(32),
  "02".repeat(32),
];

module.exports = {
  networks: {
    hardhat: {
      chainId: 138,
      hardfork: "prague",
      blockGasLimit: 8_000_000,
      accounts: keys.map((key) => ({ privateKey: "0x" + key, balance })),
      mining: { auto: false, interval: 1000 },
    },
  },
};
