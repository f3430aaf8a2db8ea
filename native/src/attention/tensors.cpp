// SPDX-License-Identifier: Apache-2.0
#include "attention/checks.hpp"

namespace cann4j::attention {

namespace {

enum class Need { Required, Optional, Untouched };
enum class Kind { Element, Float, Mask, Bits, Any };  // the query's type; FLOAT; BOOL or UINT8; UINT8

struct Parameter {
  const char* name;
  const aclTensor* tensor;
  Use use;
  Need need;
  Kind kind;
};

Kind biasKind(int64_t pseType) {
  return pseType == 0 || pseType == 1 ? Kind::Element : pseType == 2 || pseType == 3 ? Kind::Float : Kind::Any;
}

// All tensor parameters in the order of the C function.
std::vector<Parameter> parametersOf(const Arguments& a) {
  std::vector<Parameter> all;
  const auto in = [&all](const char* name, const aclTensor* tensor, Kind kind, Need need) {
    all.push_back({name, tensor, Use::kInput, need, kind});
  };
  const auto out = [&all](const char* name, const aclTensor* tensor, Kind kind, Need need = Need::Required) {
    all.push_back({name, tensor, Use::kOutput, need, kind});
  };
  // The types of rotary parts are among the conditions of V3, which have codes of their own.
  const Need ropeNeed = a.needsRope ? Need::Required : Need::Optional;
  const bool beside = a.rope == Rope::Beside;
  in("query", a.query, Kind::Element, Need::Required);
  if (beside) in("queryRope", a.queryRope, Kind::Any, ropeNeed);
  in("key", a.key, Kind::Element, Need::Required);
  if (beside) in("keyRope", a.keyRope, Kind::Any, ropeNeed);
  in("value", a.value, Kind::Element, Need::Required);
  if (a.backward) in("dy", a.dy, Kind::Element, Need::Required);
  in("pseShift", a.pse, biasKind(a.pseType), Need::Optional);
  in("dropMask", a.dropMask, Kind::Bits, Need::Optional);
  in("paddingMask", a.paddingMask, Kind::Any, Need::Optional);
  in("attenMask", a.attenMask, Kind::Mask, Need::Optional);
  const bool behind = a.rope == Rope::Behind;
  const auto ropeAndScales = [&] {
    in("queryRope", a.queryRope, Kind::Any, ropeNeed);
    in("keyRope", a.keyRope, Kind::Any, ropeNeed);
    in("dScaleQ", a.dScaleQ, Kind::Any, Need::Optional);
    in("dScaleK", a.dScaleK, Kind::Any, Need::Optional);
    in("dScaleV", a.dScaleV, Kind::Any, Need::Optional);
  };
  if (!a.backward) {
    if (behind) ropeAndScales();
    if (a.hasSink) in("sink", a.sink, Kind::Float, Need::Optional);
    out("softmaxMax", a.softmaxMax, Kind::Float);
    out("softmaxSum", a.softmaxSum, Kind::Float);
    out("softmaxOut", a.softmaxOut, Kind::Any, Need::Untouched);
    out(attentionName(false), a.attention, Kind::Element);
    return all;
  }
  in("softmaxMax", a.softmaxMax, Kind::Float, Need::Required);
  in("softmaxSum", a.softmaxSum, Kind::Float, Need::Required);
  in("softmaxIn", a.softmaxOut, Kind::Any, Need::Untouched);
  in(attentionName(true), a.attention, Kind::Element, Need::Required);
  if (a.hasSink) in("sink", a.sink, Kind::Float, Need::Optional);
  if (behind) {
    ropeAndScales();
    in("dScaleDy", a.dScaleDy, Kind::Any, Need::Optional);
    in("dScaleO", a.dScaleO, Kind::Any, Need::Optional);
  }
  out("dq", a.dq, Kind::Element);
  if (beside) out("dqRope", a.dqRope, Kind::Any, ropeNeed);
  out("dk", a.dk, Kind::Element);
  if (beside) out("dkRope", a.dkRope, Kind::Any, ropeNeed);
  out("dv", a.dv, Kind::Element);
  if (behind) {
    out("dqRope", a.dqRope, Kind::Any, ropeNeed);
    out("dkRope", a.dkRope, Kind::Any, ropeNeed);
  }
  out("dpse", a.dpse, Kind::Any, Need::Untouched);
  if (a.hasSink) out("dsink", a.dSink, a.sink ? Kind::Float : Kind::Any, a.sink ? Need::Required : Need::Untouched);
  return all;
}

aclnnStatus checkPresence(const char* op, const Parameter& p) {
  if (p.need == Need::Untouched) return checkOptionalTensor(op, p.name, p.tensor);
  if (p.need == Need::Optional && !p.tensor) return ACLNN_SUCCESS;
  return checkNumeric(op, p.name, p.tensor);
}

aclnnStatus checkType(const Arguments& a, const Parameter& p) {
  const aclDataType type = p.tensor->dataType;
  const char* wanted = nullptr;
  switch (p.kind) {
    case Kind::Element: wanted = type == a.query->dataType ? nullptr : dataTypeName(a.query->dataType); break;
    case Kind::Float: wanted = type == ACL_FLOAT ? nullptr : "FLOAT"; break;
    case Kind::Mask: wanted = type == ACL_BOOL || type == ACL_UINT8 ? nullptr : "BOOL or UINT8"; break;
    case Kind::Bits: wanted = type == ACL_UINT8 ? nullptr : "UINT8"; break;
    case Kind::Any: break;
  }
  if (!wanted) return ACLNN_SUCCESS;
  return fail(ACLNN_ERR_PARAM_INVALID, "%s: %s is %s, not %s%s", a.op, p.name, dataTypeName(type), wanted,
              p.kind == Kind::Element ? ", the type of query" : "");
}

aclnnStatus readElementType(const Arguments& a, ElementType* type) {
  switch (a.query->dataType) {
    case ACL_FLOAT: *type = ElementType::Float32; return ACLNN_SUCCESS;
    case ACL_FLOAT16: *type = ElementType::Float16; return ACLNN_SUCCESS;
    case ACL_BF16: *type = ElementType::BFloat16; return ACLNN_SUCCESS;
    default:
      return fail(ACLNN_ERR_PARAM_INVALID, "%s: query is %s; FLOAT16, BF16 and FLOAT are supported", a.op,
                  dataTypeName(a.query->dataType));
  }
}

}  // namespace

aclnnStatus checkTensors(const Arguments& a, Request* r) {
  const std::vector<Parameter> parameters = parametersOf(a);
  for (const Parameter& p : parameters) RETURN_IF_FAILED(checkPresence(a.op, p));
  RETURN_IF_FAILED(readElementType(a, &r->problem.type));
  for (const Parameter& p : parameters) {
    if (p.tensor) RETURN_IF_FAILED(checkType(a, p));
    const DeviceSpan span = p.use == Use::kInput ? inputSpan(p.name, p.tensor) : outputSpan(p.name, p.tensor);
    r->spans.push_back(p.need == Need::Untouched ? untouched(span) : span);
  }
  if (a.paddingMask) return fail(ACLNN_ERR_PARAM_INVALID, "%s: paddingMask is reserved; pass NULL", a.op);
  if (a.dScaleQ || a.dScaleK || a.dScaleV || a.dScaleDy || a.dScaleO) {
    return fail(ACLNN_ERR_PARAM_INVALID,
                "%s: the dScale tensors are for quantized tensors, and query is %s; pass NULL", a.op,
                dataTypeName(a.query->dataType));
  }
  // It chooses between two types for what comes of quantized tensors; others give their own.
  if (a.outDtype && *a.outDtype != 0 && *a.outDtype != 1 && *a.outDtype != a.query->dataType) {
    return fail(ACLNN_ERR_PARAM_INVALID, "%s: outDtype %" PRId64 " is not 0, 1 or that of query, %d (%s)", a.op,
                *a.outDtype, static_cast<int>(a.query->dataType), dataTypeName(a.query->dataType));
  }
  return ACLNN_SUCCESS;
}

}  // namespace cann4j::attention
