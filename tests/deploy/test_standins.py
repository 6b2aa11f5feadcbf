"""deploy/standins: each image that is named, and can be made, has a recipe that says what it is."""

import re
from pathlib import Path

import yaml

from tests.containers.standins import RECIPES, dockerfile_images, published, server_images

ROOT = Path(__file__).parents[2]
#: Of these nothing can be made: no registry of packages has them.
NOT_TO_BE_HAD = {"grafana/grafana"}


def test_every_image_that_is_named_can_be_made() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    named = {service["image"] for service in services.values() if "build" not in service}
    named = {image for image in named if image.rpartition(":")[0] not in NOT_TO_BE_HAD}
    assert named | set(dockerfile_images()) | set(server_images()) <= published().keys()


def test_every_recipe_says_what_it_stands_in_for() -> None:
    for image, standin in published().items():
        recipe = (RECIPES / standin.recipe / "Dockerfile").read_text("utf-8")
        labels = re.findall(r'^LABEL touchline\.standin="([^"]+)"', recipe, re.MULTILINE)
        name = image.removeprefix("touchline-standin/")
        assert any(label in (name, name.rpartition(":")[0]) for label in labels), image
        page = (RECIPES / "README.md").read_text("utf-8")
        assert f"`{image}`" in page or f"`{image.rpartition(':')[0]}`" in page
    assert {standin.recipe for standin in published().values()} == {
        folder.name for folder in RECIPES.iterdir() if folder.is_dir()
    }
