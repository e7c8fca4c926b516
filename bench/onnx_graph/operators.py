"""Operators by their multiply-accumulates: those with a formula, those that have none, and unknown ones.

An operator in no table is not assumed to be free: it is listed as not counted.
"""

from __future__ import annotations

from typing import Final

from bench.onnx_graph.macs import counter_of

MICROSOFT: Final = "com.microsoft"

_UNCOUNTED_NAMES: Final = """
DFT STFT Det SVMClassifier SVMRegressor Gradient SequenceMap
"""
UNCOUNTED: Final = frozenset(_UNCOUNTED_NAMES.split())
"""Operators that multiply and sum a number of times that depends on the algorithm, the attributes or the sequence."""

_FREE_NAMES: Final = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Bernoulli
BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu
CenterCropPad Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape Cos Cosh
CumProd CumSum DepthToSpace DequantizeLinear Div Dropout DynamicQuantizeLinear Elu Equal Erf Exp
Expand EyeLike Flatten Floor Gather GatherElements GatherND Gelu GlobalAveragePool GlobalLpPool
GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow
HardSigmoid HardSwish Hardmax Identity If ImageDecoder InstanceNormalization IsInf IsNaN LRN
LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop LpNormalization LpPool Max MaxPool
MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Multinomial Neg
NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement
OptionalHasElement Or PRelu Pad Pow QuantizeLinear RMSNormalization RandomNormal RandomNormalLike
RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape
Resize ReverseSequence RoiAlign RotaryEmbedding Round Scan Scatter ScatterElements ScatterND Selu
SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength Shape Shrink
Sigmoid Sign Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth
Split SplitToSequence Sqrt Squeeze StringConcat StringNormalizer StringSplit Sub Sum SwiGLU Swish
Tan Tanh TensorScatter TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze
Upsample Where Xor SimplifiedLayerNormalization
"""
FREE: Final = frozenset(_FREE_NAMES.split())
"""Operators of ai.onnx that multiply nothing, or only element-wise: normalization, interpolation, pooling."""

_FREE_ML_NAMES: Final = """
ArrayFeatureExtractor Binarizer CastMap CategoryMapper DictVectorizer FeatureVectorizer Imputer
LabelEncoder Normalizer OneHotEncoder Scaler TreeEnsemble TreeEnsembleClassifier
TreeEnsembleRegressor ZipMap
"""
FREE_ML: Final = frozenset(_FREE_ML_NAMES.split())
"""Operators of ai.onnx.ml without multiply-accumulates."""

SHAPED_AS_INPUT: Final = frozenset(
    f"ai.onnx.ml::{name}"
    for name in ("Binarizer", "Imputer", "LabelEncoder", "Normalizer", "Scaler")
)
"""Operators for which onnx does not define that the output has the shape of the input."""

FREE_TRAINING: Final = frozenset({"Adagrad", "Adam", "Momentum"})
"""Operators of ai.onnx.preview.training without multiply-accumulates: optimizers."""

_FREE_MICROSOFT_NAMES: Final = """
BiasAdd BiasDropout BiasGelu BiasSoftmax BiasSplitGelu BitmaskBiasDropout BitmaskDropout ComplexMul
ComplexMulConj CropAndResize DequantizeBFP DequantizeLinear DequantizeWithOrder
EmbedLayerNormalization ExpandDims FastGelu GatherBlockQuantized GatherND Gelu GemmaRotaryEmbedding
GridSample GroupNorm IsAllFinite MaxpoolWithMask MulInteger MurmurHash3 NGramRepeatBlock NhwcMaxPool
Pad QEmbedLayerNormalization QLinearAdd QLinearAveragePool QLinearConcat QLinearGlobalAveragePool
QLinearLeakyRelu QLinearMul QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere
QOrderedGelu QOrderedLayerNormalization QuantizeBFP QuantizeLinear QuantizeWithOrder QuickGelu Range
ReduceSumInteger RelativePositionBias RemovePadding RestorePadding RotaryEmbedding SampleOp
ScaledSiLU SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization SwiGLU Tokenizer
TorchEmbedding Trilu UnfoldTensor Unique
"""
FREE_MICROSOFT: Final = frozenset(_FREE_MICROSOFT_NAMES.split())
"""Operators of com.microsoft without multiply-accumulates."""

_FREE: Final = {
    "": FREE,
    "ai.onnx.ml": FREE_ML,
    "ai.onnx.preview.training": FREE_TRAINING,
    "ai.onnx.preview": frozenset[str](),
    MICROSOFT: FREE_MICROSOFT,
}
"""Domain -> its operators without multiply-accumulates."""


def reason_not_counted(operator: str) -> str:
    """Return why an operator (with its domain in front, unless ai.onnx) has no count; empty if it has one."""
    domain, _, name = operator.rpartition("::")
    if domain not in _FREE:
        return f"nothing is known of {operator}"
    if name in _FREE[domain] or counter_of(operator) is not None:
        return ""
    if name in UNCOUNTED:
        return f"{operator} multiplies, and has no formula here"
    return f"nothing is known of {operator}"
