// What is off, is off for a reason.
module.exports = {
  extends: "solhint:recommended",
  rules: {
    "compiler-version": ["error", "^0.8.24"],
    "func-visibility": ["error", { ignoreConstructors: true }],
    // Texts that consumers and Chainlink's tools match are part of the interfaces.
    "gas-custom-errors": "off",
    "reason-string": "off",
    // Chainlink's events are what they are; ours index what is searched for.
    "gas-indexed-events": "off",
    // Bounds include their ends; a comparison says what is meant, and costs three gas.
    "gas-strict-inequalities": "off",
    // Five gas are not worth another form of the same sentence.
    "gas-increment-by-one": "off",
    // Libraries are found by foundry.toml's remappings, which the linter does not read.
    "import-path-check": "off",
    // The interfaces document whole sentences; tags are for what the sentence leaves open.
    "use-natspec": "off",
    // slither finds every assembly block, and each is answered for in slither.answers.toml.
    "no-inline-assembly": "off",
    // An immutable that implements a function of an interface bears the function's name.
    "immutable-vars-naming": "off",
    "const-name-snakecase": "off",
  },
};
