"""OpenCV with its contrib modules, an extra."""


def load_opencv():
    """Imports OpenCV with `ximgproc`, of one thread so that results do not hang on their number.

    Returns:
        The module `cv2`.

    Raises:
        ValueError: OpenCV is not installed, or without its contrib modules.
    """
    try:
        import cv2
    except ImportError as error:
        raise ValueError(
            "Region proposals by OpenCV need its contrib modules, which are not installed: "
            'pip install "vsa_tf[opencv]"'
        ) from error
    if not hasattr(cv2, "ximgproc"):
        # Both packages fill the folder cv2: the one that was installed last is there.
        raise ValueError(
            f"Region proposals by OpenCV need its contrib modules. Received: OpenCV "
            f"{cv2.__version__} without them. Run: pip install --force-reinstall --no-deps "
            f'"opencv-contrib-python-headless"'
        )
    cv2.setNumThreads(1)
    return cv2
