//! Which addresses are public, at the edges of every range, and which URLs may be registered. Nothing is looked up.

use super::{UrlRefusal, check_url, is_public};
use std::net::IpAddr;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn every_range_that_is_not_public_is_refused_and_its_neighbours_are_not() {
    // The first and the last address of each range, and the ones before and after it where they are public.
    for (first, last, before, after) in [
        ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
        ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
        ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
        ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
        ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
        ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
        ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
        ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
        ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
        ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
        ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
        ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
        ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
        ("224.0.0.0", "255.255.255.255", Some("223.255.255.255"), None),
        ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, Some("2000::")),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000:ffff::"), Some("2001:200::")),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:db7::"), Some("2001:db9::")),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:ffff::"), Some("2003::")),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3ffe::"), Some("3fff:1000::")),
        ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3fff:ffff::"), None),
    ] {
        for inside in [first, last] {
            assert!(!is_public(ip(inside)), "{inside}");
        }
        for outside in [before, after].into_iter().flatten() {
            assert!(is_public(ip(outside)), "{outside}");
        }
    }
}

#[test]
fn an_ipv4_address_inside_an_ipv6_one_is_judged_as_itself() {
    for (v4, public) in [
        ("127.0.0.1", false),
        ("10.0.0.1", false),
        ("100.64.0.1", false),
        ("169.254.169.254", false),
        ("192.168.1.1", false),
        ("0.0.0.0", false),
        ("255.255.255.255", false),
        ("8.8.8.8", true),
    ] {
        assert_eq!(is_public(ip(v4)), public, "{v4}");
        for mapped in [format!("::ffff:{v4}"), format!("64:ff9b::{v4}")] {
            assert_eq!(is_public(ip(&mapped)), public, "{mapped}");
        }
        // These are of the past, or of one network only: nobody on the public Internet has them.
        for never in [format!("::{v4}"), format!("::ffff:0:{v4}"), format!("64:ff9b:1::{v4}")] {
            assert!(!is_public(ip(&never)), "{never}");
        }
    }
}

#[test]
fn ipv6_addresses_of_one_machine_or_network_are_not_public() {
    for text in [
        "::",
        "::1",
        "100::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:0:7f00:1::",
        "2001:2::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
        "5f00::1",
    ] {
        assert!(!is_public(ip(text)), "{text}");
    }
    for text in ["2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1"] {
        assert!(is_public(ip(text)), "{text}");
    }
}

#[test]
fn odd_spellings_of_a_private_address_are_still_that_address() {
    for (host, address) in [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("%31%32%37.0.0.1", "127.0.0.1"),
        ("①②⑦。0。0。1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("169.254.169.254:80", "169.254.169.254"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
        ("[64:ff9b::a00:1]", "64:ff9b::a00:1"),
        ("[fe80::1]:8443", "fe80::1"),
    ] {
        let url = format!("https://{host}/hooks");
        assert_eq!(check_url(&url, false), Err(UrlRefusal::Private(ip(address))), "{url}");
        assert_eq!(check_url(&url, true), Ok(()), "{url} where private addresses are allowed");
    }
}

#[test]
fn a_url_is_https_to_a_host_and_nothing_more() {
    let malformed = |refusal: &UrlRefusal| matches!(refusal, UrlRefusal::Malformed(_));
    for text in ["", "shop.example/hooks", "https://", "https:///", "https://shop.example:65536/", "https://[::1/"] {
        for allow_private in [false, true] {
            let refusal = check_url(text, allow_private).expect_err(text);
            assert!(malformed(&refusal), "{text:?}: {refusal:?}");
        }
    }
    let scheme = |name: &str| Err(UrlRefusal::Scheme(name.to_owned()));
    for (text, outside, inside) in [
        ("https://shop.example", Ok(()), Ok(())),
        ("HTTPS://Shop.Example:8443/hooks?shop=1", Ok(()), Ok(())),
        ("https://8.8.8.8/", Ok(()), Ok(())),
        ("https://[2606:4700:4700::1111]/", Ok(()), Ok(())),
        ("https://bücher.example/", Ok(()), Ok(())),
        ("http://shop.example/", scheme("http"), Ok(())),
        ("ftp://shop.example/", scheme("ftp"), scheme("ftp")),
        ("file:///etc/passwd", scheme("file"), scheme("file")),
        ("mailto:shop@shop.example", scheme("mailto"), scheme("mailto")),
        ("https://shop@shop.example/", Err(UrlRefusal::UserInfo), Err(UrlRefusal::UserInfo)),
        ("https://:secret@shop.example/", Err(UrlRefusal::UserInfo), Err(UrlRefusal::UserInfo)),
        ("https://8.8.8.8@127.0.0.1/", Err(UrlRefusal::UserInfo), Err(UrlRefusal::UserInfo)),
        ("https://shop.example:0/", Err(UrlRefusal::Port), Err(UrlRefusal::Port)),
    ] {
        assert_eq!(check_url(text, false), outside, "{text}");
        assert_eq!(check_url(text, true), inside, "{text} where private addresses are allowed");
    }
}
