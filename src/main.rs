//! Starts the program.
fn main() {
    for f in comity::generate::files().expect("x") {
        std::fs::create_dir_all("crds").expect("x");
        std::fs::write(&f.path, &f.contents).expect("x");
    }
}
