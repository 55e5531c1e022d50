use super::*;

#[test]
fn the_example_is_valid_as_it_stands() {
    let config = Config::parse(example(), Path::new("example.toml")).unwrap_or_else(|p| panic!("{p}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    for (path, value) in config.effective() {
        eprintln!("{path} = {value}");
    }
}
