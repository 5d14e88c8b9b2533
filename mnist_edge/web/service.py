"""What the page asks of this machine: bytes in, an answer as plain values out."""

import base64
import io
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.classifier import Classifier, Prediction
from mnist_edge.errors import DataError, GoldenError, ModelError
from mnist_edge.image_shape import ImageShape
from mnist_edge.preprocess import load, prepare_images
from mnist_edge.web import site_json

MOST_PICTURE_BYTES = 8_000_000  # a photograph


class AnswerService:
    """What models answer, by the names of their files; of two of one name, the first.

    The golden answers of each are checked, and what came of it stands in `site`. What cannot be
    answered raises DataError for bad bytes, and ModelError for a model that answers no numbers.
    """

    def __init__(self, classifiers: Sequence[Classifier]) -> None:
        self._by_name: dict[str, Classifier] = {}
        for classifier in classifiers:
            self._by_name.setdefault(classifier.path.stem, classifier)
        self._reading = threading.Lock()  # a large photograph takes hundreds of megabytes
        models = [
            site_json.describe_model(classifier.path, classifier.card)
            | {"self_test": _self_test(classifier)}
            for classifier in self._by_name.values()
        ]
        engine = {"kind": "server", "most_bytes": MOST_PICTURE_BYTES}
        self.site = site_json.describe_site(engine, models)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def shape(self, name: str) -> ImageShape:
        """That of the images which a model takes."""
        return self._by_name[name].shape

    def answer_image(self, name: str, body: bytes) -> dict[str, Any]:
        """The answer to an image in the model's own shape: its bytes row by row, channels last."""
        shape = self.shape(name)
        if len(body) != shape.values:
            raise DataError(f"an image of {shape} is {shape.values} bytes, not {len(body)}")
        return self._answer(name, np.frombuffer(body, np.uint8).reshape(shape.dims))

    def answer_picture(self, name: str, body: bytes) -> dict[str, Any]:
        """The answer to a picture in any format that `read_picture` reads, and how many digits
        it shows."""
        with self._reading:
            loaded = load(io.BytesIO(body))
            card = self._by_name[name].card
            (found,) = prepare_images([loaded.pixels], card.shape, card.fit)
        return self._answer(name, found.image) | {"digits": found.digits}

    def _answer(self, name: str, image: NDArray[np.uint8]) -> dict[str, Any]:
        classifier = self._by_name[name]
        batch = image[np.newaxis]
        start = time.perf_counter()
        logits = classifier.logits(batch)
        latency_us = (time.perf_counter() - start) * 1e6
        if not np.isfinite(logits).all():
            raise ModelError(f"{classifier.path.name} answers with what is no number")
        probabilities = Prediction(logits).probabilities[0]
        return {
            "image": base64.b64encode(image.tobytes()).decode(),
            "label": classifier.classes[int(logits[0].argmax())],
            "logits": logits[0].tolist(),
            "probabilities": probabilities.tolist(),
            "latency_us": latency_us,
        }


def _self_test(classifier: Classifier) -> dict[str, Any] | None:
    try:
        found = classifier.check()
    except GoldenError as error:
        return {"passed": False, "text": str(error)}
    return {"passed": True, "text": str(found)} if found else None
