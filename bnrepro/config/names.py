"""The closed sets of names that keys may be set to, and the groups of files."""

DATA = ("digits", "mnist", "fashion_mnist", "cifar10", "image_folder")
MODELS = ("mlp", "cnn", "vgg_a", "resnet", "lstm", "inception", "application")
# Those without a convolution, where no network is at hand to be asked (`models.Network.is_dense`).
DENSE_MODELS = ("mlp", "lstm")
# Those that have hidden units with one value per example.
MODELS_WITH_DENSE_UNITS = (*DENSE_MODELS, "cnn", "vgg_a")
# The families of `keras.applications`: those without batch normalization, then the others.
APPLICATIONS_WITHOUT_BATCH_NORMALIZATION = (
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "VGG16",
    "VGG19",
)
APPLICATIONS = (
    *APPLICATIONS_WITHOUT_BATCH_NORMALIZATION,
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetLarge",
    "NASNetMobile",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "ResNet50",
    "ResNet50V2",
    "Xception",
)
# How a branch of model=resnet begins.
RESIDUALS = ("plain", "skipinit", "fixup")
# Which connections of model=lstm are normalized.
CONNECTIONS = ("input", "recurrent", "both")
PLACEMENTS = ("before", "after", "none")
# Those whose statistics are of a mini-batch.
NORMALIZATIONS_OVER_THE_BATCH = (
    "batch",
    "batch_renorm",
    "noisy_batch",
    "noisy_statistics",
    "mean_only",
    "l1_norm",
    "l2_norm",
    "linf_norm",
)
NORMALIZATIONS = (*NORMALIZATIONS_OVER_THE_BATCH, "layer", "group", "instance", "noise")
REPARAMETRIZATIONS = (
    "weight",
    "weight_from_data",
    "spectral",
    "scaled_weight_standardization",
)
ACTIVATIONS = ("relu", "sigmoid", "tanh", "elu", "gelu", "linear")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
SCHEDULES = ("constant", "exponential", "inverse_time", "step", "cosine")
INITIALIZERS = ("gaussian", "uniform", "glorot", "he", "he_uniform", "orthogonal")
STATISTICS = ("per_feature_map", "per_activation", "per_activation_last")
# What batch normalization normalizes by where a network is asked about weights of one's choice.
PROBE_MODES = ("batch", "frozen", "population")
INFERENCES = ("moving_average", "population")
SPLITS = ("test", "tuning", "pilot")
SHUFFLES = ("shards", "within_shards", "class_pairs")
BACKENDS = ("tensorflow", "jax")
# `gpu:1` is the second GPU that a process sees, and so on.
DEVICES = ("auto", "cpu", "gpu")
PRECISIONS = ("float32", "mixed_bfloat16", "float64")
# Section 4.2.1 lists seven changes; the seventh is the learning-rate multiplier.
ACCELERATIONS = ("dropout", "l2", "decay", "lrn", "shuffle", "distortion")

# The folders of `conf/` from which a run takes a file each, in the order of composition.
GROUPS = ("data", "optimizer", "schedule", "initializer", "model", "bn", "scale", "experiment")
