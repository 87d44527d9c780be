//! One line to the server per page, and several who hear it: whoever keeps the line passes its news on here.

use std::{cell::RefCell, rc::Rc};

use super::News;

type Hearer = Rc<dyn Fn(&News)>;

thread_local! {
    // Hearers live as long as the page, as the line does.
    static HEARERS: RefCell<Vec<Hearer>> = const { RefCell::new(Vec::new()) };
}

/// Hears the news of the page's line from now on. To be called in an effect: never on the server.
pub fn hear(hearer: impl Fn(&News) + 'static) {
    HEARERS.with(|hearers| hearers.borrow_mut().push(Rc::new(hearer)));
}

/// Passes news on.
pub fn tell(news: &News) {
    let hearers: Vec<Hearer> = HEARERS.with(|hearers| hearers.borrow().clone());
    for hearer in hearers {
        hearer(news);
    }
}
