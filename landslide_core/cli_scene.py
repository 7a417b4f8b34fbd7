"""The options that name a scene, once for every command that reads one."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any

import typer

from landslide_core.readers.given import SceneInputs

Files = Annotated[
    list[str],
    typer.Option(help="File, folder, SAFE zip or address; repeatable: one file a band, a mosaic."),
]


def scene_options(
    s2: Files = [],  # noqa: B006  typer copies the default
    s1_desc_pre: Files = [],  # noqa: B006
    s1_desc_post: Files = [],  # noqa: B006
    s1_asc_pre: Files = [],  # noqa: B006
    s1_asc_post: Files = [],  # noqa: B006
    dem: Annotated[list[str], typer.Option(help="Elevation model, metres; repeatable.")] = [],  # noqa: B006
    s2_bands: Annotated[
        str | None, typer.Option(help="Band names of an unnamed stack: B02,B03,B04,B08.")
    ] = None,
    s2_offset: Annotated[
        float | None, typer.Option(help="Number to add to the stored values, e.g. -1000 or 0.")
    ] = None,
    event: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day of the event; dates are held against it."),
    ] = None,
    cloud_dilation: Annotated[
        int, typer.Option(min=0, max=5000, help="Metres by which cloud is taken to reach farther.")
    ] = 0,
    cloud_probability: Annotated[
        float, typer.Option(min=1, max=100, help="Per cent from which a probability means cloud.")
    ] = 50.0,
    speckle: Annotated[
        int, typer.Option(min=0, max=15, help="Side of the speckle filter's window; 0: none.")
    ] = 0,
) -> SceneInputs:
    """What a command's options say of its scene."""
    return SceneInputs(
        s2=tuple(s2),
        desc_pre=tuple(s1_desc_pre),
        desc_post=tuple(s1_desc_post),
        asc_pre=tuple(s1_asc_pre),
        asc_post=tuple(s1_asc_post),
        dem=tuple(dem),
        s2_bands=tuple(s2_bands.split(",")) if s2_bands else None,
        s2_offset=s2_offset,
        event=event.date() if event else None,
        cloud_dilation=cloud_dilation,
        cloud_probability=cloud_probability,
        speckle=speckle,
    )


def takes_scene(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options in the place of its parameter `inputs`."""
    own = signature(command).parameters
    offered = signature(scene_options).parameters

    @wraps(command)
    def called(**given: Any) -> None:
        scene = {name: given.pop(name) for name in offered}
        command(inputs=scene_options(**scene), **given)

    both = [p for p in (*offered.values(), *own.values()) if p.name != "inputs"]
    called.__signature__ = Signature(  # type: ignore[attr-defined]
        [p.replace(kind=Parameter.KEYWORD_ONLY) for p in both]
    )
    # typer reads the annotations, not the signature's.
    called.__annotations__ = {p.name: p.annotation for p in both}
    return called
