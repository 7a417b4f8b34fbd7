"""Everything that can go wrong for a user: each message says found, wanted, remedy."""


class LandslideError(Exception):
    """Base of all errors a user can cause and mend; the command line prints one line, exit 2."""


class SceneError(LandslideError):
    """The input files do not make a scene."""


class UnreadableRaster(SceneError):
    """A file is missing, truncated or not a raster GDAL can read."""


class MissingBands(SceneError):
    """A band the role needs is in none of the files given for it."""


class MissingCRS(SceneError):
    """A raster does not say where on Earth it lies."""


class GridMismatch(SceneError):
    """Sources do not overlap, or a resolution is not one the model was made for."""


class SceneTooSmall(SceneError):
    """The scene is smaller than one tile, or holds no valid pixel."""


class AmbiguousUnits(SceneError):
    """Values fit no known unit, or more than one."""


class CatalogueError(SceneError):
    """A catalogue of scenes doesn't answer, or answers with something else than scenes."""


class BundleError(LandslideError):
    """The model bundle cannot be used."""


class BundleNotFound(BundleError):
    """There is no bundle at the path."""


class BundleIncompatible(BundleError):
    """The bundle was written for another version of features or network."""


class BundleCorrupt(BundleError):
    """A file of the bundle is missing, damaged or not the one its manifest names."""


class DatasetError(LandslideError):
    """Training or evaluation data cannot be used."""


class MissingLabels(DatasetError):
    """Patches without a label, or a label table without the needed columns."""


class BadPatch(DatasetError):
    """A patch has the wrong shape, type or values."""


class RunError(LandslideError):
    """A run folder cannot be written or read."""


class RunBusy(RunError):
    """The run folder is already there, or somebody else is writing it."""


class RunDamaged(RunError):
    """A run folder lacks a file, or a file of it does not read."""


class RunStopped(RunError):
    """The run was asked to stop; what it had done is kept."""


class NoMemory(RunError):
    """The memory allowed is too little for even the smallest step."""


class NoSpace(RunError):
    """The disk holds too little free space for the run."""


class CannotWrite(RunError):
    """Results cannot be written where they were asked for."""


class NoDevice(RunError):
    """The device asked for is not there."""


class NoJob(RunError):
    """There is no such job, or its state does not allow what was asked."""


class QueueDamaged(RunError):
    """The queue's file is no queue, is damaged or is of another version."""


class BadReview(RunError):
    """What a reviewer gave is no decision about the tile."""
