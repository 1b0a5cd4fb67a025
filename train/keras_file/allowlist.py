"""The classes and functions that the config of an untrusted network may name, so that Keras looks them up and calls them.

The list leaves out everything that runs code (Lambda), reads files or vocabularies (StringLookup), or is of no use to an
image classifier.
"""

from collections.abc import Set


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LAYERS = _words(
    """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveMaxPooling1D
    AdaptiveMaxPooling2D Add AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D
    AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CenterCrop Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
    ConvLSTM1D ConvLSTM2D Cropping1D Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU
    EinsumDense Embedding Equalization Flatten GRU GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D
    GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GroupNormalization GroupQueryAttention Identity InputLayer LSTM LSTMCell LayerNormalization LeakyReLU Masking
    MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute
    Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast
    RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight RandomHue
    RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear
    RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding
    SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D
    SpatialDropout3D SpectralNormalization StackedRNNCells Subtract SyncBatchNormalization ThresholdedReLU TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """
)
OPERATION_LAYERS = frozenset({"TFOpLambda", "SlicingOpLambda"})
"""Layers of Keras 2 that hold one operation of TensorFlow. Which operations they may hold is in `keras2_operations.py`."""
MODELS = frozenset({"Functional", "Model", "Sequential"})
INITIALIZERS = _words(
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
    """
)
REGULARIZERS = frozenset({"L1", "L1L2", "L2", "OrthogonalRegularizer"})
CONSTRAINTS = frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"})
POLICIES = _words("DTypePolicy DTypePolicyMap FloatDTypePolicy Policy QuantizedDTypePolicy QuantizedFloat8DTypePolicy")
ACTIVATIONS = _words(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu swish soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid
    sparsemax squareplus tanh tanh_shrink threshold
    """
)
ANY = None
KERAS2_MODULES = {
    f"{package}.engine.{kind}": f"keras.src.models.{kind}"
    for package in ("keras", "keras.src", "tf_keras.src")  # since TensorFlow 2.11, 2.13 and 2.16
    for kind in ("functional", "sequential")
}
"""Where Keras 2 had its networks, and where Keras 3 has them."""
_OPERATION_MODULES = [f"{package}.layers.core.tf_op_layer" for package in ("keras", "keras.src", "tf_keras.src")]
MODULES: dict[str, Set[str] | None] = {
    "keras": MODELS | POLICIES,
    "keras.models": MODELS,
    "keras.layers": LAYERS,
    "keras.initializers": INITIALIZERS,
    "keras.regularizers": REGULARIZERS,
    "keras.constraints": CONSTRAINTS,
    "keras.dtype_policies": POLICIES,
    "keras.mixed_precision": POLICIES,
    "keras.random": {"SeedGenerator"},
    "keras.src.models.functional": MODELS,
    "keras.src.models.sequential": MODELS,
    **dict.fromkeys(KERAS2_MODULES, MODELS),
    **dict.fromkeys(_OPERATION_MODULES, OPERATION_LAYERS),
    "keras.src.applications.convnext": {"LayerScale", "StochasticDepth"},
    # Keras writes a sum or a slice of tensors as an operation. Operations of ops.core that take a function are left out.
    "keras.src.ops.core": {"Cast", "ConvertToTensor", "SaturateCast", "Slice", "SliceUpdate", "StopGradient", "Unstack"},
    "keras.src.ops.image": ANY,
    "keras.src.ops.linalg": ANY,
    "keras.src.ops.math": ANY,
    "keras.src.ops.nn": ANY,
    "keras.src.ops.numpy": ANY,
    # A network inside a network comes with its training settings.
    "keras.losses": ANY,
    "keras.metrics": ANY,
    "keras.optimizers": ANY,
}
"""The modules in which Keras looks up a class, and the names allowed there."""
WITHOUT_MODULE = LAYERS | OPERATION_LAYERS | MODELS | INITIALIZERS | REGULARIZERS | CONSTRAINTS | POLICIES
"""For files of the older format, which name no module."""
