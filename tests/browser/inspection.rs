//! What every view of the page must stand: axe-core, a narrow window, a dark scheme. No test lives here.

use serde_json::json;

use crate::driver::Browser;
use wmlicense_testkit::root;

/// Width in CSS pixels to which WCAG 2.2, 1.4.10 wants a page to fold without scrolling both ways.
const NARROW: u32 = 320;

/// Width and height of the smallest telephone that people still use.
const SMALL: (u32, u32) = (320, 568);

/// What axe-core finds, each fault with the elements that have it.
const FAULTS: &str = "axe.run().then(found =>
    found.violations.map(fault => fault.id + ': ' + fault.nodes.map(node => node.html).join(' | ')))";

/// Looks at views with axe-core.
pub(crate) struct Inspector {
    axe: String,
}

impl Inspector {
    /// `None` where axe-core is missing.
    pub(crate) fn new() -> Option<Self> {
        let python = std::fs::read_dir(root().join(".venv/lib")).ok().into_iter().flatten().flatten();
        let file = |folder: std::fs::DirEntry| folder.path().join("site-packages/axe_playwright_python/axe.min.js");
        let found = python.map(file).find(|file| file.exists());
        if found.is_none() {
            assert!(std::env::var_os("WM_TEST_ALL_TOOLS").is_none(), ".venv is missing: run ci/install.sh");
            eprintln!("skipped: axe-core is not in .venv; ci/install.sh puts it there");
        }
        Some(Self { axe: std::fs::read_to_string(found?).unwrap() })
    }

    /// On a small telephone all of these elements must be in the window before anybody scrolls; a picture is kept.
    pub(crate) fn is_seen_at_once(browser: &Browser, view: &str, selectors: &[&str]) {
        let (width, height) = SMALL;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        browser.devtools("Emulation.setDeviceMetricsOverride", size);
        for selector in selectors {
            let ends = browser.script(&format!(
                "scrollTo(0, 0); return document.querySelector('{selector}').getBoundingClientRect().bottom"
            ));
            let ends = ends.as_f64().unwrap();
            assert!(ends > 0.0 && ends <= f64::from(height), "{view}: {selector} ends at {ends}");
        }
        let picture = browser.devtools("Page.captureScreenshot", json!({}));
        Browser::keep(&format!("{view}-small"), &picture);
        browser.devtools("Emulation.clearDeviceMetricsOverride", json!({}));
    }

    /// The present view must be without fault, wide and bright, narrow and dark; pictures of both are kept.
    pub(crate) fn inspect(&self, browser: &Browser, view: &str) {
        let emulate = |scheme: &str, width: u32| {
            let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
            browser.devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
            let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
            browser.devtools("Emulation.setDeviceMetricsOverride", size);
        };
        let mut axe = self.axe.as_str();
        for (scheme, width) in [("light", 1000), ("dark", NARROW)] {
            emulate(scheme, width);
            let measured = browser.script(
                "const page = document.documentElement;
                 return [page.clientWidth, page.scrollWidth, matchMedia('(prefers-color-scheme: dark)').matches]",
            );
            assert_eq!(measured, json!([width, width, scheme == "dark"]), "{view}: {scheme}");
            let faults = browser.script(&format!("{axe}\nreturn {FAULTS}"));
            // From here on this view has it.
            axe = "";
            assert_eq!(faults, json!([]), "{view}: {scheme}");
            browser.screenshot(&format!("{view}-{scheme}"));
        }
        browser.devtools("Emulation.clearDeviceMetricsOverride", json!({}));
    }
}
