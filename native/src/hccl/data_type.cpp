// SPDX-License-Identifier: Apache-2.0
#include "hccl/data_type.hpp"

#include <iterator>

namespace cann4j::hccl {
namespace {

struct TypeInfo {
  const char* name;
  size_t size;
};

constexpr TypeInfo kTypes[] = {
    {"HCCL_DATA_TYPE_INT8", 1},   {"HCCL_DATA_TYPE_INT16", 2}, {"HCCL_DATA_TYPE_INT32", 4},
    {"HCCL_DATA_TYPE_FP16", 2},   {"HCCL_DATA_TYPE_FP32", 4},  {"HCCL_DATA_TYPE_INT64", 8},
    {"HCCL_DATA_TYPE_UINT64", 8}, {"HCCL_DATA_TYPE_UINT8", 1}, {"HCCL_DATA_TYPE_UINT16", 2},
    {"HCCL_DATA_TYPE_UINT32", 4}, {"HCCL_DATA_TYPE_FP64", 8},  {"HCCL_DATA_TYPE_BFP16", 2},
    {"HCCL_DATA_TYPE_INT128", 16}, {nullptr, 0},               {"HCCL_DATA_TYPE_HIF8", 1},
    {"HCCL_DATA_TYPE_FP8E4M3", 1}, {"HCCL_DATA_TYPE_FP8E5M2", 1},
    {"HCCL_DATA_TYPE_FP8E8M0", 1}};

const TypeInfo* find(HcclDataType type) {
  auto index = static_cast<unsigned>(type);
  return index < std::size(kTypes) && kTypes[index].size > 0 ? &kTypes[index] : nullptr;
}

}  // namespace

size_t elementSize(HcclDataType type) {
  const TypeInfo* info = find(type);
  return info != nullptr ? info->size : 0;
}

const char* nameOf(HcclDataType type) {
  const TypeInfo* info = find(type);
  return info != nullptr ? info->name : "unknown HcclDataType";
}

const char* nameOf(HcclReduceOp op) {
  switch (static_cast<unsigned>(op)) {
    case HCCL_REDUCE_SUM:
      return "HCCL_REDUCE_SUM";
    case HCCL_REDUCE_PROD:
      return "HCCL_REDUCE_PROD";
    case HCCL_REDUCE_MAX:
      return "HCCL_REDUCE_MAX";
    case HCCL_REDUCE_MIN:
      return "HCCL_REDUCE_MIN";
    default:
      return "unknown HcclReduceOp";
  }
}

bool canMove(HcclDataType type) {
  return find(type) != nullptr && static_cast<unsigned>(type) < HCCL_DATA_TYPE_INT128;
}

bool canReduce(HcclDataType type, HcclReduceOp op) {
  switch (static_cast<unsigned>(op)) {
    case HCCL_REDUCE_SUM:
    case HCCL_REDUCE_MAX:
    case HCCL_REDUCE_MIN:
      break;
    case HCCL_REDUCE_PROD:
      if (type == HCCL_DATA_TYPE_INT16 || type == HCCL_DATA_TYPE_BFP16) {
        return false;
      }
      break;
    default:
      return false;
  }
  switch (static_cast<unsigned>(type)) {
    case HCCL_DATA_TYPE_INT8:
    case HCCL_DATA_TYPE_INT16:
    case HCCL_DATA_TYPE_INT32:
    case HCCL_DATA_TYPE_INT64:
    case HCCL_DATA_TYPE_FP16:
    case HCCL_DATA_TYPE_FP32:
    case HCCL_DATA_TYPE_BFP16:
      return true;
    default:
      return false;
  }
}

}  // namespace cann4j::hccl
