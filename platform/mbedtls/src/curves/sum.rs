//! The sum of two multiples of points of P-256, as the verification of a signature needs it. Nothing of it is a secret, so
//! that it may go the short way: both multiples at once, by coordinates that take fewer products than crate `p256`'s, whose
//! formulas hold for all points in constant time.

use p256::elliptic_curve::PrimeField;
use p256::{FieldElement, Scalar};

use super::{Point, LEN};

/// x / z^2 and y / z^3; at infinity z is 0.
#[derive(Clone, Copy)]
struct Jacobian {
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
}

/// What is added often, and is not at infinity.
#[derive(Clone, Copy)]
struct Summand {
    point: Jacobian,
    /// z^2 and z^3.
    powers: [FieldElement; 2],
}

impl Jacobian {
    const INFINITY: Self = Self { x: FieldElement::ONE, y: FieldElement::ONE, z: FieldElement::ZERO };

    /// None where a coordinate is none of the field's.
    fn read(point: &Point) -> Option<Self> {
        let (x, y) = point.split_at(LEN);
        let [x, y] = [x, y].map(|bytes| Option::<FieldElement>::from(FieldElement::from_bytes(bytes.into())));
        Some(Self { x: x?, y: y?, z: FieldElement::ONE })
    }

    /// None for the point at infinity.
    fn write(&self) -> Option<Point> {
        let inverse: FieldElement = Option::from(self.z.invert())?;
        let square = inverse.square();
        let mut point = [0; 2 * LEN];
        let (x, y) = point.split_at_mut(LEN);
        x.copy_from_slice(&self.x.multiply(&square).to_bytes());
        y.copy_from_slice(&self.y.multiply(&square).multiply(&inverse).to_bytes());
        Some(point)
    }

    fn is_infinity(&self) -> bool {
        self.z.is_zero().into()
    }

    /// For curves with the coefficient -3 of x: "dbl-2001-b" of the Explicit-Formulas Database. No point but the one at
    /// infinity is its own opposite, so there is no other case.
    fn double(&self) -> Self {
        let delta = self.z.square();
        let twice_gamma = self.y.square().double();
        let four_beta = self.x.multiply(&twice_gamma).double();
        let third = self.x.sub(&delta).multiply(&self.x.add(&delta));
        let alpha = third.double().add(&third);
        let x = alpha.square().sub(&four_beta.double());
        let y = alpha.multiply(&four_beta.sub(&x)).sub(&twice_gamma.square().double());
        Self { x, y, z: self.y.multiply(&self.z).double() }
    }

    /// "add-1998-cmo-2" of the same place, and what that leaves out: equal and opposite points, and infinity.
    fn add(&self, Summand { point, powers: [square, cube] }: &Summand) -> Self {
        if self.is_infinity() {
            return *point;
        }
        let own_square = self.z.square();
        let x = self.x.multiply(square);
        let y = self.y.multiply(cube);
        let h = point.x.multiply(&own_square).sub(&x);
        let r = point.y.multiply(&own_square.multiply(&self.z)).sub(&y);
        if h.is_zero().into() {
            return if r.is_zero().into() { self.double() } else { Self::INFINITY };
        }
        let h_square = h.square();
        let h_cube = h_square.multiply(&h);
        let v = x.multiply(&h_square);
        let x = r.square().sub(&h_cube).sub(&v.double());
        let y = r.multiply(&v.sub(&x)).sub(&y.multiply(&h_cube));
        Self { x, y, z: self.z.multiply(&point.z).multiply(&h) }
    }
}

impl Summand {
    fn new(point: Jacobian) -> Self {
        let square = point.z.square();
        Self { point, powers: [square, square.multiply(&point.z)] }
    }

    fn opposite(&self) -> Self {
        Self { point: Jacobian { y: self.point.y.neg(), ..self.point }, ..*self }
    }
}

/// The sum of multiples, 256 doublings for both. None where it is the point at infinity. The points are on the curve, so
/// that none of their multiples below the order, which is a prime, is at infinity.
pub fn of_multiples(scalars: &[Scalar; 2], points: &[&Point; 2]) -> Option<Point> {
    let digits = scalars.each_ref().map(digits);
    let [point, other] = points.map(Jacobian::read);
    let odd_multiples = [point?, other?].map(|point| {
        let twice = Summand::new(point.double());
        let mut multiples = [Summand::new(point); 8];
        for i in 1..multiples.len() {
            multiples[i] = Summand::new(multiples[i - 1].point.add(&twice));
        }
        multiples
    });
    let mut sum = Jacobian::INFINITY;
    for i in (0..DIGITS).rev() {
        sum = sum.double();
        for (digits, multiples) in digits.iter().zip(&odd_multiples) {
            let multiple = usize::from(digits[i].unsigned_abs() / 2);
            match digits[i] {
                0 => {}
                1.. => sum = sum.add(&multiples[multiple]),
                _ => sum = sum.add(&multiples[multiple].opposite()),
            }
        }
    }
    sum.write()
}

/// As many as a scalar has bits, and one that is carried.
const DIGITS: usize = 8 * LEN + 1;

/// The scalar as a sum of digits times powers of two, the lowest first. Each digit is 0 or odd, from -15 to 15, and of five
/// in a row at most one is not 0.
fn digits(scalar: &Scalar) -> [i8; DIGITS] {
    let bytes = scalar.to_repr();
    let bit = |i: usize| i < 8 * LEN && bytes[LEN - 1 - i / 8] >> (i % 8) & 1 == 1;
    let mut digits = [0; DIGITS];
    let mut is_carried = false;
    let mut i = 0;
    while i < DIGITS {
        if bit(i) == is_carried {
            i += 1;
            continue;
        }
        let five = (0..5).map(|j| i8::from(bit(i + j)) << j).sum::<i8>() + i8::from(is_carried);
        is_carried = five > 15;
        digits[i] = if is_carried { five - 32 } else { five };
        i += 5;
    }
    digits
}
