"""The batch as the network sees it, in NumPy, float64, image by image."""

import numpy as np

# ITU-R BT.601.
LUMA = np.array([0.299, 0.587, 0.114])


def scaling(images):
    """(mean, deviation), each (channels,), of uint8 images in 0..1; a constant channel keeps 1."""
    values = images[:10_000].reshape(-1, images.shape[-1]) / 255
    constant = values.min(0) == values.max(0)
    return values.mean(0), np.where(constant, 1, values.std(0))


def assembled(images, indices, distortions, crop_padding=0, mean=0.0, deviation=1.0):
    """Float batch, (batch, height, width, channels); `distortions` are those of one step."""
    batch = []
    for position, index in enumerate(indices):
        own = {name: values[position] for name, values in distortions.items()}
        batch.append(coloured(placed(images[index], own, crop_padding) / 255, own))
    return (np.array(batch) - mean) / deviation


def placed(image, own, crop_padding):
    """A window of the size of the image out of the image with its edge repeated, then mirrored."""
    height, width, _ = image.shape
    if "offset_y" in own:
        around = (crop_padding, crop_padding)
        padded = np.pad(image, (around, around, (0, 0)), mode="edge")
        top, left = own["offset_y"], own["offset_x"]
        image = padded[top : top + height, left : left + width]
    return image[:, ::-1] if own.get("flip") else image


def coloured(image, own):
    """Contrast around the image's mean, brightness, saturation around its grey, cut to 0..1."""
    if "contrast" not in own:
        return image
    image = own["contrast"].astype(float) * (image - image.mean()) + image.mean()
    image = image + own["brightness"].astype(float)
    if image.shape[-1] == 3:
        grey = (image @ LUMA)[..., None]
        image = own["saturation"].astype(float) * (image - grey) + grey
    return np.clip(image, 0, 1)
