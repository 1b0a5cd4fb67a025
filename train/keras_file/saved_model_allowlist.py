"""The operations that the graph of a SavedModel may hold: they compute numbers from numbers and have no other effect.

Those that the networks of keras.applications and the layers of Keras 2 and 3 use for images, and their nearest relatives.
None of them reads or writes files, runs other code, keeps a state, or loops.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPERATIONS = _words(
    """
    Abs Add AddN AddV2 All Any ArgMax ArgMin AvgPool BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpaceND BiasAdd
    BroadcastArgs BroadcastTo Cast Ceil ClipByValue Concat ConcatOffset ConcatV2 Const Conv2D Conv2DBackpropInput Conv3D
    CropAndResize Cumsum DepthToSpace DepthwiseConv2dNative Div DivNoNan Einsum Elu EnsureShape Equal Erf Erfc Exp
    ExpandDims Expm1 Fill Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd
    GatherV2 Greater GreaterEqual Identity IdentityN InvertPermutation L2Loss LRN LeakyRelu Less LessEqual LinSpace Log
    Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul Max MaxPool MaxPoolV2 Maximum Mean Min Minimum MirrorPad Mod
    Mul Neg NoOp NotEqual OneHot OnesLike Pack Pad PadV2 Placeholder PlaceholderWithDefault Pow PreventGradient Prod
    Range Rank ReadVariableOp RealDiv Reciprocal Relu Relu6 Reshape ResizeArea ResizeBicubic ResizeBilinear
    ResizeNearestNeighbor ReverseV2 Round Rsqrt ScaleAndTranslate Select SelectV2 Selu Shape ShapeN Sigmoid Sign Size
    Slice Snapshot Softmax Softplus Softsign SpaceToBatchND SpaceToDepth Split SplitV Sqrt Square SquaredDifference
    Squeeze StopGradient StridedSlice Sub Sum Tan Tanh Tile TopKV2 Transpose TruncateDiv TruncateMod Unpack ZerosLike
    """
)
REFERENCES = frozenset({"Variable", "VariableV2"})
"""The variables of TensorFlow 1."""
VARIABLES = REFERENCES | {"VarHandleOp"}
"""Outside of functions. They are replaced by the numbers of the checkpoint."""
CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
"""They call a function of the same file, whose operations are checked as well."""
LOOPS = frozenset(
    {
        "Case",
        "Enter",
        "Exit",
        "If",
        "LoopCond",
        "Merge",
        "NextIteration",
        "StatelessCase",
        "StatelessIf",
        "StatelessWhile",
        "Switch",
        "While",
        "For",
    }
)
