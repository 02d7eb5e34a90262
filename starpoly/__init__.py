"""Find cells and nuclei in microscopy images, as star-convex polygons.

    >>> from starpoly import StarPoly2D, read_image, write_labels
    >>> labels, details = StarPoly2D.from_pretrained().predict_instances(read_image("cells.tif"))
    >>> write_labels("labels.tif", labels)

Models
    StarPoly2D          load a model, predict, train, tune its thresholds, save it
    available_models    names of the models that ship with starpoly
    NetworkConfig, TrainingConfig, NormalizationConfig    settings of a training

Images and labels
    read_image, read_labels, write_labels    files as arrays and back
    DetectionOptions    thresholds, scale, tile size and more, for prediction
    StarPolygons        the objects as polygons

Prediction
    use_threads         how many threads to use

Slides
    segment_slide       an image of any size, from file to files
    SlideOutputs        the files to write

Evaluation
    matching            precision, recall and more of labels against true ones

Packages
    evaluation, geometry, images, io, labels, network, plot, prediction, suppression, training, detection

Errors are StarpolyError, warnings StarpolyWarning. ``import starpoly`` is cheap: a name is loaded when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
