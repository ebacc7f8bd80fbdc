//! `/problems/{code}`: what a problem means and what to do, for people.

use super::Code;

/// The page of one code.
pub(crate) fn html(code: Code) -> String {
    let (name, status) = (code.name(), code.status().as_u16());
    let (title, meaning, remedy, retry) = (code.title(), code.meaning(), code.remedy(), code.retry().name());
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n\
         <h1>{title}</h1>\n<p><code>{name}</code>, status {status}, retry: {retry}</p>\n\
         <p>{meaning}</p>\n<p><strong>What to do:</strong> {remedy}</p>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_that_says_what_to_do_and_needs_no_escaping() {
        for code in Code::ALL {
            let page = html(*code);
            assert!(page.contains(code.remedy()) && page.contains(code.name()), "{}", code.name());
            for text in [code.title(), code.meaning(), code.remedy()] {
                assert!(!text.contains(['<', '>', '&']) && text.len() > 3, "{text}");
            }
        }
    }
}
