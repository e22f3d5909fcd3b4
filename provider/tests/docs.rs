//! The pages in `docs/` are what the attribute tables say. A page that is not is written anew, and the test fails once.

use std::fs;
use std::path::{Path, PathBuf};

use azuremfa::docs::{Page, pages};

#[test]
fn the_reference_pages_are_up_to_date() {
    let pages = pages(|path| fs::read_to_string(top().join(path)).ok());
    let stale: Vec<&str> = pages.iter().filter(|page| rewrite(page)).map(|page| page.path.as_str()).collect();
    assert!(stale.is_empty(), "written anew, look at them and commit them: {}", stale.join(", "));
}

#[test]
fn no_page_is_left_of_a_resource_that_is_gone() {
    let pages = pages(|_| None);
    let entries = fs::read_dir(top().join("docs/resources")).expect("docs/resources can be listed");
    for entry in entries {
        let path = entry.expect("an entry").path();
        let path = path.strip_prefix(top()).expect("below the top").to_string_lossy().into_owned();
        assert!(pages.iter().any(|page| page.path == path), "{path} belongs to no resource; delete it");
    }
}

#[test]
fn every_page_shows_an_example() {
    for page in pages(|path| fs::read_to_string(top().join(path)).ok()) {
        assert!(page.text.contains("## Example Usage"), "{} has no example in examples/", page.path);
    }
}

/// Whether the page had to be written.
fn rewrite(page: &Page) -> bool {
    let path = top().join(&page.path);
    // A checkout on Windows may have other line ends.
    if fs::read_to_string(&path).is_ok_and(|found| found.replace("\r\n", "\n") == page.text) {
        return false;
    }
    fs::create_dir_all(path.parent().expect("a page lies in a folder")).expect("the folder can be made");
    fs::write(&path, &page.text).expect("the page can be written");
    true
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies below the top").to_owned()
}
