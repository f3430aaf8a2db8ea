// SPDX-License-Identifier: Apache-2.0
#include "aclnnop/aclnn_apply_rotary_pos_emb.h"
#include "aclnnop/aclnn_rotary_position_embedding.h"
#include "random_views.hpp"

using namespace elements;

namespace {

using Values = std::vector<double>;
using Shape = std::vector<int64_t>;

char* word(const char* text) { return const_cast<char*>(text); }

// What becomes of a head: it is cut into pairs, and each is a point that is turned. `first` and
// `second` say where the coordinates of the k-th pair come from, `place` where they go to.
struct Pairs {
  std::function<size_t(size_t)> first, second, place, otherPlace;
};

Pairs pairsOf(int64_t mode, size_t n) {
  const size_t h = n / 2, q = n / 4;
  const auto low = [](size_t k) { return k; };
  const auto high = [h](size_t k) { return h + k; };
  const auto even = [](size_t k) { return 2 * k; };
  const auto odd = [](size_t k) { return 2 * k + 1; };
  const auto firstQuarter = [q, h](size_t k) { return k < q ? k : h + k - q; };
  const auto secondQuarter = [q, h](size_t k) { return (k < q ? k : h + k - q) + q; };
  switch (mode) {
    case 0: return {low, high, low, high};
    case 1: return {even, odd, even, odd};
    case 2: return {firstQuarter, secondQuarter, firstQuarter, secondQuarter};
    default: return {even, odd, low, high};
  }
}

// x, cos and sin have n elements each.
Values turn(const double* x, const double* cos, const double* sin, size_t n, int64_t mode) {
  const Pairs pairs = pairsOf(mode, n);
  Values y(n);
  for (size_t k = 0; k < n / 2; ++k) {
    const double a = x[pairs.first(k)], b = x[pairs.second(k)];
    const size_t i = pairs.place(k), j = pairs.otherPlace(k);
    y[i] = a * cos[i] - b * sin[i];
    y[j] = b * cos[j] + a * sin[j];
  }
  return y;
}

void compare(const Values& x, const Shape& shape, const View& cos, const View& sin, int64_t mode,
             const Values& actual, aclDataType type) {
  const auto n = static_cast<size_t>(shape.back());
  const Values c = cos.values(), s = sin.values();
  for (size_t row = 0; row < x.size(); row += n) {
    Values cosines, sines;
    for (size_t i = 0; i < n; ++i) {
      const auto at = static_cast<int64_t>(row + i);
      cosines.push_back(broadcast(c, cos.dims(), shape, at));
      sines.push_back(broadcast(s, sin.dims(), shape, at));
    }
    const Values y = turn(x.data() + row, cosines.data(), sines.data(), n, mode);
    for (size_t i = 0; i < n; ++i) {
      CHECK_NEAR(actual[row + i], y[i], tolerance(y[i], type, 3e-6));
    }
  }
}

}  // namespace

TEST(randomRotations) {
  device::use();
  Random random("randomRotations");
  for (int i = 0; i < 80; ++i) {
    const aclDataType type = random.floatType();
    const int64_t mode = random.between(0, 3);
    Shape shape(4);
    for (int64_t& dim : shape) {
      dim = random.between(1, 6);
    }
    shape[3] = random.between(1, 20) * (mode == 2 ? 4 : 2);
    Shape angles = shape;
    for (size_t d = 0; d < 3; ++d) {
      angles[d] = random.oneIn(2) ? 1 : angles[d];
    }
    Input x(random, type, shape);
    Input cos(random, type, angles, -1, 1);
    Input sin(random, type, angles, -1, 1);
    Output out(random, type, shape);
    call(aclnnRotaryPositionEmbeddingGetWorkspaceSize, aclnnRotaryPositionEmbedding, x, cos, sin,
         mode, out);
    compare(x.values(), shape, cos, sin, mode, out.checkedValues(), type);
  }
}

TEST(randomQueriesAndKeys) {
  device::use();
  Random random("randomQueriesAndKeys");
  for (int i = 0; i < 40; ++i) {
    const aclDataType type = random.floatType();
    const int64_t b = random.between(1, 3), s = random.between(1, 9);
    const Shape queries{b, s, random.between(1, 5), 128};
    const Shape keys{b, s, random.between(1, 3), 128};
    const Shape angles{random.oneIn(3) ? 1 : b, s, 1, 128};
    Input query(random, type, queries);
    Input key(random, type, keys);
    Input cos(random, type, angles, -1, 1);
    Input sin(random, type, angles, -1, 1);
    const Values q = query.values(), k = key.values();
    const int64_t mode = random.between(0, 2);
    if (mode == 0 && random.oneIn(2)) {
      call(aclnnApplyRotaryPosEmbGetWorkspaceSize, aclnnApplyRotaryPosEmb, query, key, cos, sin,
           int64_t{1});
    } else {
      constexpr const char* kWords[] = {"half", "interleave", "quarter"};
      call(aclnnApplyRotaryPosEmbV2GetWorkspaceSize, aclnnApplyRotaryPosEmbV2, query, key, cos,
           sin, int64_t{1}, word(kWords[mode]));
    }
    compare(q, queries, cos, sin, mode, query.values(), type);
    compare(k, keys, cos, sin, mode, key.values(), type);
  }
}

TEST(definitionOfTheModes) {
  device::use();
  View x(ACL_FLOAT, {1, 1, 1, 8});
  View zero(ACL_FLOAT, {1, 1, 1, 8});
  View one(ACL_FLOAT, {1, 1, 1, 8});
  View out(ACL_FLOAT, {1, 1, 1, 8});
  x.fillStorage([](int64_t i) { return static_cast<double>(i + 1); });
  zero.fillStorage([](int64_t) { return 0; });
  one.fillStorage([](int64_t) { return 1; });
  const Values rotated[] = {{-5, -6, -7, -8, 1, 2, 3, 4},
                            {-2, 1, -4, 3, -6, 5, -8, 7},
                            {-3, -4, 1, 2, -7, -8, 5, 6},
                            {-2, -4, -6, -8, 1, 3, 5, 7}};
  for (int64_t mode = 0; mode < 4; ++mode) {
    call(aclnnRotaryPositionEmbeddingGetWorkspaceSize, aclnnRotaryPositionEmbedding, x, zero, one,
         mode, out);
    CHECK(out.values() == rotated[mode]);
    call(aclnnRotaryPositionEmbeddingGetWorkspaceSize, aclnnRotaryPositionEmbedding, x, one, zero,
         mode, out);
    CHECK(out.values() == (mode == 3 ? Values{1, 3, 5, 7, 2, 4, 6, 8} : x.values()));
  }
}

TEST(refusals) {
  device::use();
  View x(ACL_FLOAT, {2, 3, 4, 6});
  View out(ACL_FLOAT, {2, 3, 4, 6});
  View cos(ACL_FLOAT, {1, 3, 1, 6});
  View other(ACL_FLOAT, {2, 3, 1, 6});
  View narrow(ACL_FLOAT, {1, 3, 1, 5});
  View flat(ACL_FLOAT, {6, 24});
  View half(ACL_FLOAT16, {1, 3, 1, 6});
  View odd(ACL_FLOAT, {1, 3, 1, 5});
  View integers(ACL_INT32, {2, 3, 4, 6});
  aclTensor* none = nullptr;
  const auto rotate = aclnnRotaryPositionEmbeddingGetWorkspaceSize;
  CHECK_FAILS(status(rotate, none, cos, cos, 0, out), ACLNN_ERR_PARAM_NULLPTR, "x is NULL");
  CHECK_FAILS(status(rotate, x, none, cos, 0, out), ACLNN_ERR_PARAM_NULLPTR, "cos is NULL");
  CHECK_FAILS(status(rotate, x, cos, none, 0, out), ACLNN_ERR_PARAM_NULLPTR, "sin is NULL");
  CHECK_FAILS(status(rotate, x, cos, cos, 0, none), ACLNN_ERR_PARAM_NULLPTR, "out is NULL");
  CHECK_FAILS(status(rotate, x, cos, cos, 4, out), ACLNN_ERR_PARAM_INVALID,
              "mode is 4, which is not in [0, 3]");
  CHECK_FAILS(status(rotate, x, cos, cos, 2, out), ACLNN_ERR_PARAM_INVALID,
              "the last dimension of x [2, 3, 4, 6] is no multiple of 4");
  CHECK_FAILS(status(rotate, odd, odd, odd, 0, odd), ACLNN_ERR_PARAM_INVALID,
              "the last dimension of x [1, 3, 1, 5] is no multiple of 2");
  CHECK_FAILS(status(rotate, flat, cos, cos, 0, flat), ACLNN_ERR_PARAM_INVALID,
              "x has the shape [6, 24], not four dimensions");
  CHECK_FAILS(status(rotate, x, narrow, cos, 0, out), ACLNN_ERR_PARAM_INVALID,
              "cos [1, 3, 1, 5] does not broadcast to [2, 3, 4, 6]");
  CHECK_FAILS(status(rotate, x, cos, other, 0, out), ACLNN_ERR_PARAM_INVALID,
              "sin has the shape [2, 3, 1, 6], not [1, 3, 1, 6]");
  CHECK_FAILS(status(rotate, x, half, cos, 0, out), ACLNN_ERR_PARAM_INVALID,
              "cos is FLOAT16, not FLOAT");
  CHECK_FAILS(status(rotate, integers, cos, cos, 0, out), ACLNN_ERR_PARAM_INVALID,
              "x is INT32, not one of");
  CHECK_FAILS(status(rotate, x, cos, cos, 0, cos), ACLNN_ERR_PARAM_INVALID,
              "out has the shape [1, 3, 1, 6], not [2, 3, 4, 6]");

  View query(ACL_BF16, {2, 3, 4, 128});
  View key(ACL_BF16, {2, 3, 1, 128});
  View shorter(ACL_BF16, {2, 2, 1, 128});
  View angles(ACL_BF16, {2, 3, 1, 128});
  View perHead(ACL_BF16, {2, 3, 4, 128});
  const auto apply = aclnnApplyRotaryPosEmbGetWorkspaceSize;
  CHECK_FAILS(status(apply, none, key, angles, angles, 1), ACLNN_ERR_PARAM_NULLPTR,
              "queryRef is NULL");
  CHECK_FAILS(status(apply, query, none, angles, angles, 1), ACLNN_ERR_PARAM_NULLPTR,
              "keyRef is NULL");
  CHECK_FAILS(status(apply, query, key, none, angles, 1), ACLNN_ERR_PARAM_NULLPTR, "cos is NULL");
  CHECK_FAILS(status(apply, query, key, angles, none, 1), ACLNN_ERR_PARAM_NULLPTR, "sin is NULL");
  CHECK_FAILS(status(apply, query, key, angles, angles, 0), ACLNN_ERR_PARAM_INVALID,
              "layout is 0, which is not in [1, 3]");
  CHECK_FAILS(status(apply, query, key, angles, angles, 3), ACLNN_ERR_INNER_TILING_ERROR,
              "layout is 3; only 1, BSND, is supported");
  CHECK_FAILS(status(apply, x, x, other, other, 1), ACLNN_ERR_INNER_TILING_ERROR,
              "the last dimension of queryRef [2, 3, 4, 6] is not 128");
  CHECK_FAILS(status(apply, query, shorter, angles, angles, 1), ACLNN_ERR_PARAM_INVALID,
              "keyRef has the shape [2, 2, 1, 128], not [2, 3, 1, 128]");
  CHECK_FAILS(status(apply, query, x, angles, angles, 1), ACLNN_ERR_PARAM_INVALID,
              "keyRef is FLOAT, not BF16");
  CHECK_FAILS(status(apply, query, key, perHead, perHead, 1), ACLNN_ERR_PARAM_INVALID,
              "cos has the shape [2, 3, 4, 128], whose dimension 2 is not 1");
  const auto applyV2 = aclnnApplyRotaryPosEmbV2GetWorkspaceSize;
  CHECK_FAILS(status(applyV2, query, key, angles, angles, 1, word("third")),
              ACLNN_ERR_PARAM_INVALID, "rotaryMode third is none of half, interleave, quarter");
  CHECK_FAILS(status(applyV2, query, key, angles, angles, 1, static_cast<char*>(nullptr)),
              ACLNN_ERR_PARAM_NULLPTR, "rotaryMode is NULL");
}
