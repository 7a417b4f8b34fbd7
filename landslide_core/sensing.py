"""What Sentinel-2 and Sentinel-1 would see of a simulated landscape."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from landslide_core.cover import Cover, Kind
from landslide_core.scars import Scars
from landslide_core.terrain import Floats, Terrain, fractal

# Red, green, blue, near infrared reflectance × 10⁴ and its relative spread from place to place.
# Typical Sentinel-2 L2A values; compare the ECOSTRESS library (Meerdink et al. 2019).
SPECTRA: Final = {
    Kind.FOREST: ((300, 470, 260, 2700), 0.11),
    Kind.GRASS: ((560, 740, 400, 2800), 0.12),
    Kind.CROP: ((520, 740, 400, 3000), 0.10),
    Kind.ROCK: ((1050, 1000, 860, 1800), 0.14),
    Kind.GRAVEL: ((1500, 1450, 1280, 1950), 0.12),
    Kind.WATER: ((520, 680, 560, 380), 0.10),
    Kind.SETTLEMENT: ((1500, 1400, 1250, 2300), 0.28),
    Kind.ROAD: ((1150, 1080, 850, 2200), 0.15),
    Kind.CLEARING: ((950, 950, 620, 2450), 0.15),
}
TILLED: Final = (1450, 1180, 850, 2300)
SOILS: Final = ((2150, 1600, 1080, 2750), (1850, 1650, 1350, 2350), (2500, 2050, 1500, 3100))

# γ⁰ in dB, VV and VH, at C band (compare Ulaby & Dobson 1989), and its spread from place to place.
GAMMA: Final = {
    Kind.FOREST: (-7.3, -12.8, 0.7),
    Kind.GRASS: (-10.2, -16.6, 0.9),
    Kind.CROP: (-9.8, -16.2, 1.0),
    Kind.ROCK: (-8.6, -16.5, 1.8),
    Kind.GRAVEL: (-10.8, -19.0, 1.5),
    Kind.WATER: (-18.5, -26.5, 1.0),
    Kind.SETTLEMENT: (-4.0, -11.5, 3.0),
    Kind.ROAD: (-10.0, -16.0, 1.2),
    Kind.CLEARING: (-9.5, -16.0, 1.2),
}
NOISE: Final = 10**-3.5  # thermal noise σ⁰; the processor subtracts its mean, its scatter stays
FLOOR: Final = 1e-5  # what is left where subtraction eats all signal: −50 dB


@dataclass(frozen=True)
class Atmosphere:
    """Light, air and radar geometry of one seed; angles in degrees."""

    sun_azimuth: float
    sun_elevation: float
    haze: float  # blue path reflectance × 10⁴ left by the correction
    soil: tuple[float, ...]  # fresh soil: red, green, blue, nir reflectance × 10⁴
    freshness: tuple[float, float]  # range of scar contrast, 0..1
    incidence: tuple[float, float]  # descending, ascending
    cloud: float  # share of the scene
    season: tuple[float, ...]  # factor on vegetation: red, green, blue, nir
    canopy: float  # dB on γ⁰ of all cover: moisture and season


def make_atmosphere(rng: np.random.Generator) -> Atmosphere:
    """Conditions of one seed."""
    first, second = rng.choice(len(SOILS), 2, replace=False)
    mix, dry = rng.uniform(0, 1), rng.uniform(-0.1, 0.35)
    soil = mix * np.array(SOILS[first]) + (1 - mix) * np.array(SOILS[second])
    return Atmosphere(
        sun_azimuth=float(rng.uniform(95, 160)),
        sun_elevation=float(rng.uniform(42, 66)),
        haze=float(rng.uniform(20, 160)),
        soil=tuple(float(value) for value in soil * rng.uniform(0.9, 1.25)),
        freshness=(float(rng.uniform(0.35, 0.6)), float(rng.uniform(0.9, 1.0))),
        incidence=(float(rng.uniform(34, 43)), float(rng.uniform(34, 43))),
        cloud=float(rng.uniform(0.015, 0.045)),
        season=tuple(np.exp(rng.normal(0, 0.09) + dry * np.array([1.0, 0.6, 0.6, -0.35])).tolist()),
        canopy=float(rng.normal(0, 0.7)),
    )


def _towards(terrain: Terrain, azimuth: float, elevation: float) -> Floats:
    """Cosine (H, W) between the surface normal and the direction to sun or satellite."""
    east = np.sin(np.radians(azimuth)) * np.cos(np.radians(elevation))
    north = np.cos(np.radians(azimuth)) * np.cos(np.radians(elevation))
    up = np.sin(np.radians(elevation))
    rise = up - east * terrain.east - north * terrain.north
    cosine: Floats = rise / np.sqrt(1 + terrain.east**2 + terrain.north**2)
    return cosine


def clouds(rng: np.random.Generator, air: Atmosphere, scars: Scars) -> tuple[Floats, Floats]:
    """Opacity of cloud (H, W), 0..1, and the share of sunlight its shadow takes (H, W), 0..1."""
    shape = scars.label.shape
    billow = fractal(rng, shape, 4.0, 200) + 0.1 * fractal(rng, shape, 2.6, 25)
    # Kept off most scars: a truth nobody could see would teach and test nothing.
    billow = billow - 1.8 * np.minimum(
        ndimage.gaussian_filter((scars.label > 0).astype(float), 25) / 0.02, 1
    )
    edge = np.quantile(billow, 1 - air.cloud)
    opacity = np.clip((billow - edge + 0.1) / 0.4, 0, 1)
    reach = 90 / np.tan(np.radians(air.sun_elevation))  # 900 m up, in pixels
    azimuth = np.radians(air.sun_azimuth)
    moved = (reach * np.cos(azimuth), -reach * np.sin(azimuth))
    shadow = ndimage.shift(opacity, moved, order=1)
    return opacity, 0.75 * shadow * (1 - opacity)


def _fresh(rng: np.random.Generator, air: Atmosphere, scars: Scars) -> Floats:
    """Share of fresh soil (H, W): by scar, with islands of turf and trees left standing."""
    low, high = air.freshness
    each = np.append(0.0, rng.uniform(low, high, len(scars.table)))
    islands = fractal(rng, scars.label.shape, 2.0, 12)
    return np.where(
        scars.label > 0, np.clip(each[scars.label] - 0.35 * np.maximum(islands - 0.7, 0), 0.1, 1), 0
    )


def optical(
    rng: np.random.Generator, terrain: Terrain, cover: Cover, scars: Scars, air: Atmosphere
) -> tuple[Floats, NDArray[np.uint8]]:
    """Sentinel-2 reflectance × 10⁴ (4, H, W), red, green, blue, nir, and scene class (H, W)."""
    shape = cover.kind.shape
    spectra = np.array([SPECTRA[kind][0] for kind in Kind], np.float32)
    spread = np.array([SPECTRA[kind][1] for kind in Kind], np.float32)[cover.kind]
    ground = spectra[cover.kind].transpose(2, 0, 1)

    grown = np.isin(cover.kind, (Kind.FOREST, Kind.GRASS, Kind.CROP))
    ground = ground * np.where(grown, np.array(air.season, np.float32)[:, None, None], 1)

    bare = rng.beta(0.5, 1.8, cover.parcels + 1).astype(np.float32)[cover.parcel]
    tilled = (cover.kind == Kind.CROP) * bare
    ground = ground + tilled * (np.array(TILLED, np.float32)[:, None, None] - ground)
    fresh = _fresh(rng, air, scars).astype(np.float32)
    soil = np.array(air.soil, np.float32)[:, None, None]
    spread = np.where(fresh > 0, 0.14, spread)
    ground = ground + fresh * (soil - ground)

    coarse, fine = fractal(rng, shape, 2.4, 40), fractal(rng, shape, 0.6, 4)
    ground = ground * np.exp(spread * (0.8 * coarse + 0.7 * fine))
    # Greener or drier stands: near infrared and red move against each other.
    vigour = 0.07 * fractal(rng, shape, 2.8, 80)
    ground = ground * np.exp(np.array([-1.2, -0.6, -0.7, 1.0])[:, None, None] * vigour)

    # C correction read backwards (Teillet et al. 1982): C is the share of diffuse light.
    flat = np.sin(np.radians(air.sun_elevation))
    direct = np.maximum(_towards(terrain, air.sun_azimuth, air.sun_elevation), 0)
    diffuse = np.array([0.40, 0.45, 0.55, 0.35])[:, None, None]
    water = cover.kind == Kind.WATER
    opacity, shadow = clouds(rng, air, scars)
    light = (np.where(water, flat, direct) * (1 - shadow) + diffuse) / (flat + diffuse)
    haze = air.haze * np.array([0.4, 0.6, 1.0, 0.1])[:, None, None]
    seen = ground * light + haze
    top = np.array([6600, 6700, 7000, 6900])[:, None, None] * (0.62 + 0.38 * opacity)
    seen = seen + opacity**0.8 * (top - seen)
    seen = ndimage.gaussian_filter(seen, (0, 0.5, 0.5))  # the instrument's blur
    noise = rng.standard_normal(seen.shape, dtype=np.float32)
    seen = np.clip(seen + noise * (8 + 0.006 * seen), 1, 12000)

    ndvi = (seen[3] - seen[0]) / (seen[3] + seen[0])
    scene_class = np.where(ndvi > 0.4, 4, 5).astype(np.uint8)
    scene_class[water] = 6
    scene_class[shadow > 0.25] = 3
    scene_class[opacity > 0.25] = 8
    scene_class[opacity > 0.65] = 9
    return seen.astype(np.float32), scene_class


def _speckle(rng: np.random.Generator, shape: tuple[int, int], looks: float) -> Floats:
    """Multiplicative speckle (H, W) of mean 1 and variance 1/looks, correlated over about 2 pixels.

    GRDH pixels of 10 m sample a resolution of about 20 m, so neighbours share speckle.
    """
    impulse = np.zeros(17)
    impulse[8] = 1.0
    kept = float((ndimage.gaussian_filter1d(impulse, 0.62) ** 2).sum() ** 2)
    white = rng.standard_gamma(looks * kept, shape, dtype=np.float32) / (looks * kept)
    speckle: Floats = ndimage.gaussian_filter(white, 0.62)
    return speckle


def brightening(terrain: Terrain, azimuth: float, incidence: float) -> Floats:
    """Geometric factor (H, W) from γ⁰ to the σ⁰ on the ellipsoid that a GRD product holds.

    σ⁰_E = γ⁰ · cos θ_local · sin θ / cos ψ, ψ between the surface normal and the image plane's
    (Ulander 1996): slopes facing the satellite crowd into few pixels and shine, backslopes fade.
    """
    towards = np.maximum(_towards(terrain, azimuth, 90 - incidence), 0.0)
    projected = np.abs(_towards(terrain, azimuth + 180, incidence))
    gain = towards * np.sin(np.radians(incidence)) / np.maximum(projected, 0.09) + 0.02
    smeared: Floats = ndimage.gaussian_filter1d(gain, 0.8, axis=1)  # layover lies along range
    return smeared


def radar(
    rng: np.random.Generator,
    terrain: Terrain,
    cover: Cover,
    scars: Scars,
    air: Atmosphere,
    looks: float,
) -> Floats:
    """Sentinel-1 σ⁰ in dB (8, H, W): desc post VV, VH, pre VV, VH, then asc likewise."""
    shape = cover.kind.shape
    gamma = np.array([GAMMA[kind][:2] for kind in Kind], np.float32)[cover.kind].transpose(2, 0, 1)
    spread = np.array([GAMMA[kind][2] for kind in Kind], np.float32)[cover.kind]
    gamma = (
        gamma
        + air.canopy
        + spread * (0.6 * fractal(rng, shape, 2.2, 30) + 0.8 * fractal(rng, shape, 0.5))
    )
    change = _scar_change(rng, air, scars)
    bands = []
    # Right-looking: descending passes are east of the ground they see, ascending ones west of it.
    for azimuth, incidence in zip((102.0, 258.0), air.incidence, strict=True):
        gain = brightening(terrain, azimuth, incidence)
        for after in (True, False):
            wet = rng.normal(0, 0.2)  # moisture of the day, dB
            # Fields are ploughed, irrigated and cut between the dates: change that is no landslide.
            field = rng.normal(0, 1.0, cover.parcels + 1)[cover.parcel] * (cover.parcel > 0)
            season = field + 0.3 * fractal(rng, shape, 2.2, 25)
            for i in range(2):
                level = gamma[i] + wet + season + (change[i] if after else 0.0)
                power = gain * 10 ** (level / 10) + NOISE
                power = power * _speckle(rng, shape, looks)
                power -= NOISE
                bands.append(10 * np.log10(np.maximum(power, FLOOR)))
    return np.stack(bands).astype(np.float32)


def _scar_change(rng: np.random.Generator, air: Atmosphere, scars: Scars) -> Floats:
    """Change of γ⁰ in dB (2, H, W), VV and VH: canopy gone at the source, rough debris below."""
    count = len(scars.table)
    toe = 1 / (1 + np.exp(-(scars.along - 0.55) / 0.1))
    strength = np.append(0.0, rng.uniform(*air.freshness, count))[scars.label] ** 0.5
    rough = 2.2 * fractal(rng, scars.label.shape, 1.0, 8)
    change = []
    for source, lobe in (((-2.6, 1.3), (2.2, 1.5)), ((-4.2, 1.2), (-0.6, 1.5))):
        head, foot = (np.append(0, rng.normal(*d, count))[scars.label] for d in (source, lobe))
        change.append(strength * (head + toe * (foot - head) + rough))
    return np.stack(change) * (scars.label > 0)
