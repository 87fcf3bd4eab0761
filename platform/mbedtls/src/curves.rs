//! Multiplication on P-256 and Curve25519, for mbedTLS (c/curves.c): an eighth of the time that mbedTLS's own takes.

use std::ffi::{c_int, c_uchar};
use std::panic::catch_unwind;

use curve25519_dalek::MontgomeryPoint;
use p256::elliptic_curve::ops::Invert;
use p256::elliptic_curve::sec1::{FromEncodedPoint, ToEncodedPoint};
use p256::elliptic_curve::PrimeField;
use p256::{AffinePoint, EncodedPoint, ProjectivePoint, Scalar};
use zeroize::Zeroizing;

mod sum;

/// Bytes of a scalar, and of a coordinate. c/curves.c knows it, too.
const LEN: usize = 32;

/// Two coordinates.
type Point = [u8; 2 * LEN];

/// Multiplies a point of P-256, in constant time. Returns whether that worked: the scalar is less than the curve's order,
/// the point is on the curve, and the product has coordinates.
///
/// # Safety
/// `scalar` has 32 bytes, `point` 64; `out` has room for 64.
#[no_mangle]
unsafe extern "C" fn iot_mbedtls_p256_mul(scalar: *const c_uchar, point: *const c_uchar, out: *mut c_uchar) -> c_int {
    // SAFETY: the caller's promises; the areas do not overlap.
    let (scalar, point, out) = unsafe { (&*scalar.cast(), &*point.cast(), &mut *out.cast()) };
    let product = catch_unwind(|| {
        let scalar = Zeroizing::new(read_scalar(scalar)?);
        write_point(&Zeroizing::new(read_point(point)? * *scalar))
    });
    match product {
        Ok(Some(product)) => {
            *out = product;
            1
        }
        _ => 0,
    }
}

/// Adds two multiples of points of P-256; not in constant time. Returns 1, 0 where the sum is the point at infinity, and -1
/// where a scalar is not less than the curve's order, or a point not on the curve.
///
/// # Safety
/// As `iot_mbedtls_p256_mul`.
#[no_mangle]
unsafe extern "C" fn iot_mbedtls_p256_mul_add(
    scalar: *const c_uchar,
    point: *const c_uchar,
    other_scalar: *const c_uchar,
    other_point: *const c_uchar,
    out: *mut c_uchar,
) -> c_int {
    // SAFETY: the caller's promises; the areas do not overlap.
    let (scalar, point, out) = unsafe { (&*scalar.cast(), &*point.cast(), &mut *out.cast()) };
    // SAFETY: the same.
    let (other_scalar, other_point) = unsafe { (&*other_scalar.cast(), &*other_point.cast()) };
    let sum = catch_unwind(|| {
        let scalars = [read_scalar(scalar)?, read_scalar(other_scalar)?];
        // Both are on the curve.
        read_point(point).and(read_point(other_point))?;
        Some(sum::of_multiples(&scalars, &[point, other_point]))
    });
    match sum {
        Ok(Some(Some(sum))) => {
            *out = sum;
            1
        }
        Ok(Some(None)) => 0,
        _ => -1,
    }
}

/// Inverts modulo the order of P-256; not in constant time. Returns whether there is an inverse: the scalar is not 0, and
/// less than the order.
///
/// # Safety
/// `scalar` has 32 bytes; `out` has room for 32.
#[no_mangle]
unsafe extern "C" fn iot_mbedtls_p256_invert(scalar: *const c_uchar, out: *mut c_uchar) -> c_int {
    // SAFETY: the caller's promises; the areas do not overlap.
    let (scalar, out) = unsafe { (&*scalar.cast(), &mut *out.cast()) };
    let inverse = catch_unwind(|| Option::<Scalar>::from(read_scalar(scalar)?.invert_vartime()));
    match inverse {
        Ok(Some(inverse)) => {
            *out = inverse.to_repr();
            1
        }
        _ => 0,
    }
}

/// Multiplies a point of Curve25519, in constant time (RFC 7748 section 5).
///
/// # Safety
/// `scalar` and `point` have 32 bytes, `out` has room for 32.
#[no_mangle]
unsafe extern "C" fn iot_mbedtls_x25519(scalar: *const c_uchar, point: *const c_uchar, out: *mut c_uchar) {
    // SAFETY: the caller's promises; the areas do not overlap.
    let (scalar, point, out) =
        unsafe { (&*scalar.cast::<[u8; LEN]>(), *point.cast::<[u8; LEN]>(), &mut *out.cast::<[u8; LEN]>()) };
    // Nothing of it panics.
    *out = MontgomeryPoint(point).mul_clamped(*scalar).to_bytes();
}

/// None where it is not less than the curve's order.
fn read_scalar(bytes: &[u8; LEN]) -> Option<Scalar> {
    Scalar::from_repr((*bytes).into()).into()
}

/// None where it is not on the curve.
fn read_point(bytes: &Point) -> Option<ProjectivePoint> {
    let point = EncodedPoint::from_untagged_bytes(bytes.as_slice().into());
    Option::from(AffinePoint::from_encoded_point(&point)).map(|point: AffinePoint| point.into())
}

/// None for the point at infinity.
fn write_point(point: &ProjectivePoint) -> Option<Point> {
    point.to_affine().to_encoded_point(false).as_bytes().get(1..)?.try_into().ok()
}

#[cfg(test)]
mod tests;
