//! Beside another mbedTLS, 2.28, and the vectors of RFC 7748.

// Their function without random numbers multiplies all the same.
#![allow(deprecated)]

use mbedtls::bignum::Mpi;
use mbedtls::ecp::{EcGroup, EcPoint};
use mbedtls::pk::EcGroupId;
use ring::rand::{SecureRandom, SystemRandom};

use super::*;

/// The order of P-256.
const ORDER: [u8; LEN] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

fn random() -> [u8; LEN] {
    let mut bytes = [0; LEN];
    SystemRandom::new().fill(&mut bytes).unwrap();
    // Less than the order of P-256.
    bytes[0] &= 0x7f;
    bytes
}

fn small(number: u8) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[LEN - 1] = number;
    bytes
}

/// The order of P-256 less something small.
fn below_order(number: u8) -> [u8; LEN] {
    let mut bytes = ORDER;
    bytes[LEN - 1] -= number;
    bytes
}

fn p256() -> EcGroup {
    EcGroup::new(EcGroupId::SecP256R1).unwrap()
}

fn number(bytes: &[u8]) -> Mpi {
    Mpi::from_binary(bytes).unwrap()
}

fn bytes_of(point: &EcPoint) -> Point {
    point.to_binary(&p256(), false).unwrap()[1..].try_into().unwrap()
}

fn point_of(bytes: &Point) -> EcPoint {
    EcPoint::from_components(number(&bytes[..LEN]), number(&bytes[LEN..])).unwrap()
}

fn base() -> Point {
    bytes_of(&p256().generator().unwrap())
}

fn mul(scalar: &[u8; LEN], point: &Point) -> Option<Point> {
    let mut out = [0; 2 * LEN];
    // SAFETY: all have the lengths that are wanted.
    (unsafe { iot_mbedtls_p256_mul(scalar.as_ptr(), point.as_ptr(), out.as_mut_ptr()) } == 1).then_some(out)
}

/// None for the point at infinity.
fn mul_and_add(scalars: [&[u8; LEN]; 2], points: [&Point; 2]) -> Result<Option<Point>, ()> {
    let mut out = [0; 2 * LEN];
    let [scalar, other_scalar] = scalars.map(|scalar| scalar.as_ptr());
    let [point, other_point] = points.map(|point| point.as_ptr());
    // SAFETY: all have the lengths that are wanted.
    match unsafe { iot_mbedtls_p256_mul_add(scalar, point, other_scalar, other_point, out.as_mut_ptr()) } {
        1 => Ok(Some(out)),
        0 => Ok(None),
        _ => Err(()),
    }
}

fn invert(scalar: &[u8; LEN]) -> Option<[u8; LEN]> {
    let mut out = [0; LEN];
    // SAFETY: both have the length that is wanted.
    (unsafe { iot_mbedtls_p256_invert(scalar.as_ptr(), out.as_mut_ptr()) } == 1).then_some(out)
}

fn x25519(scalar: &[u8; LEN], point: &[u8; LEN]) -> [u8; LEN] {
    let mut out = [0; LEN];
    // SAFETY: all have the lengths that are wanted.
    unsafe { iot_mbedtls_x25519(scalar.as_ptr(), point.as_ptr(), out.as_mut_ptr()) };
    out
}

fn hex(text: &str) -> [u8; LEN] {
    std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
}

#[test]
fn p256_is_multiplied_as_another_mbedtls_does() {
    let edges = [small(1), small(2), small(15), small(16), below_order(1), below_order(2)];
    let mut point = base();
    for scalar in edges.into_iter().chain((0..50).map(|_| random())) {
        let expected = point_of(&point).mul(&mut p256(), &number(&scalar)).unwrap();
        assert_eq!(mul(&scalar, &point), Some(bytes_of(&expected)), "{scalar:x?} {point:x?}");
        point = bytes_of(&expected);
    }
}

#[test]
fn multiples_are_added_as_another_mbedtls_does() {
    let edges = [small(0), small(1), small(16), below_order(1), below_order(16)];
    let (mut point, mut other) = (base(), mul(&random(), &base()).unwrap());
    let pairs = edges.iter().flat_map(|one| edges.map(|another| (*one, another)));
    for (scalar, other_scalar) in pairs.chain((0..50).map(|_| (random(), random()))) {
        let numbers = [number(&scalar), number(&other_scalar)];
        let sum = EcPoint::muladd(&mut p256(), &point_of(&point), &numbers[0], &point_of(&other), &numbers[1]).unwrap();
        let expected = (!sum.is_zero().unwrap()).then(|| bytes_of(&sum));
        assert_eq!(mul_and_add([&scalar, &other_scalar], [&point, &other]), Ok(expected));
        point = mul(&random(), &point).unwrap();
        other = expected.unwrap_or(other);
    }
}

#[test]
fn equal_and_opposite_multiples_are_added() {
    let point = mul(&random(), &base()).unwrap();
    let scalar = random();
    let doubled = mul(&small(2), &mul(&scalar, &point).unwrap());
    assert_eq!(mul_and_add([&scalar, &scalar], [&point, &point]), Ok(doubled));
    assert_eq!(mul_and_add([&small(7), &below_order(7)], [&point, &point]), Ok(None));
    assert_eq!(mul_and_add([&small(0), &small(0)], [&point, &base()]), Ok(None));
}

#[test]
fn scalars_and_points_that_are_none_are_refused() {
    let mut beside = base();
    beside[2 * LEN - 1] ^= 1;
    // No element of the field, though one modulo its prime.
    let mut large = base();
    large[..LEN].fill(0xff);
    for point in [beside, large, [0; 2 * LEN]] {
        assert_eq!(mul(&small(3), &point), None);
        assert_eq!(mul_and_add([&small(3), &small(3)], [&base(), &point]), Err(()));
        assert_eq!(mul_and_add([&small(3), &small(3)], [&point, &base()]), Err(()));
    }
    for scalar in [ORDER, [0xff; LEN]] {
        assert_eq!(mul(&scalar, &base()), None);
        assert_eq!(mul_and_add([&scalar, &small(3)], [&base(), &base()]), Err(()));
        assert_eq!(mul_and_add([&small(3), &scalar], [&base(), &base()]), Err(()));
    }
    // The point at infinity has no coordinates.
    assert_eq!(mul(&small(0), &base()), None);
}

#[test]
fn what_is_inverted_gives_one_by_its_inverse() {
    for scalar in [small(1), small(2), below_order(1), below_order(2)].into_iter().chain((0..50).map(|_| random())) {
        let product = mul(&invert(&scalar).unwrap(), &mul(&scalar, &base()).unwrap());
        assert_eq!(product, Some(base()), "{scalar:x?}");
    }
    assert_eq!(invert(&small(1)), Some(small(1)));
    assert_eq!(invert(&below_order(1)), Some(below_order(1)));
    for scalar in [small(0), ORDER, [0xff; LEN]] {
        assert_eq!(invert(&scalar), None);
    }
}

#[test]
fn the_signatures_of_rfc_6979_appendix_a_2_5_are_right() {
    let mut key = [0; 2 * LEN];
    key[..LEN].copy_from_slice(&hex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"));
    key[LEN..].copy_from_slice(&hex("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"));
    let signatures = [
        (
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
            "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ];
    for (message, r, s) in signatures {
        let hash = crate::sha256(message.as_bytes()).unwrap();
        let [hash, r, inverse] = [hash, hex(r), invert(&hex(s)).unwrap()].map(|bytes| read_scalar(&bytes).unwrap());
        let scalars = [hash * inverse, r * inverse].map(|scalar| scalar.to_repr().into());
        let sum = mul_and_add([&scalars[0], &scalars[1]], [&base(), &key]).unwrap().unwrap();
        assert_eq!(sum[..LEN], *r.to_repr(), "{message}");
    }
}

#[test]
fn curve25519_is_multiplied_as_rfc_7748_section_5_2_says() {
    let scalar = hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    let point = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    let product = hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    assert_eq!(x25519(&scalar, &point), product);
    let scalar = hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d");
    let point = hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493");
    let product = hex("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
    assert_eq!(x25519(&scalar, &point), product);
    let (mut scalar, mut point) = ([0; LEN], [0; LEN]);
    scalar[0] = 9;
    point[0] = 9;
    for _ in 0..1000 {
        (scalar, point) = (x25519(&scalar, &point), scalar);
    }
    assert_eq!(scalar, hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

#[test]
fn curve25519_is_multiplied_as_another_mbedtls_does() {
    let mut group = EcGroup::new(EcGroupId::Curve25519).unwrap();
    let reversed = |mut bytes: [u8; LEN]| {
        bytes.reverse();
        bytes
    };
    let mut point = [0; LEN];
    point[0] = 9;
    for _ in 0..20 {
        let mut scalar = random();
        scalar[0] &= 0xf8;
        scalar[LEN - 1] = scalar[LEN - 1] & 0x7f | 0x40;
        let theirs = EcPoint::from_components(number(&reversed(point)), Mpi::new(0).unwrap()).unwrap();
        let product = theirs.mul(&mut group, &number(&reversed(scalar))).unwrap();
        let expected = product.x().unwrap().to_binary_padded(LEN).unwrap();
        assert_eq!(reversed(x25519(&scalar, &point)).as_slice(), expected);
        point = x25519(&scalar, &point);
    }
}
