/* Runs groups strip by strip, and reads weights. */
#include "vggrt_internal.h"

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t rounded_up(uint32_t count, uint32_t multiple) { return (count + multiple - 1) & ~(multiple - 1); }

/** The inputs of each output of a dense layer. */
static uint32_t input_count(const vggrt_layer *layer) {
  return (uint32_t)layer->input.height * layer->input.width * layer->input.channels;
}

uint32_t vggrt_row_size(const vggrt_layer *layer) {
  if (layer->encoding == VGGRT_WINOGRAD) return 16 * layer->input.channels * (uint32_t)sizeof(int16_t);
  if (layer->kind == VGGRT_DENSE) return rounded_up(input_count(layer), 4);
  return rounded_up((uint32_t)layer->kernel_height * layer->kernel_width * layer->input.channels, 4);
}

/** How many rows of input are above the lowest row of the window of the output's last row, that one included, and those beside the map. */
static uint32_t window_rows(const vggrt_layer *layer, uint32_t output_rows) {
  return (output_rows - 1) * layer->stride_height + (layer->kernel_height - 1u) * layer->dilation_height + 1;
}

/** The room for pointers to the rows of a window, which are of at most eight bytes on every machine. */
static uint32_t pointers_size(const vggrt_layer *layer) {
  if (layer->kind > VGGRT_AVERAGE_POOLING) return 0;
  const uint32_t at_once = layer->kind == VGGRT_CONVOLUTION ? vggrt_rows_at_once(layer) : 1;
  return rounded_up(window_rows(layer, at_once) * 8, VGGRT_ALIGNMENT);
}

uint32_t vggrt_scratch_size(const vggrt_layer *layer) {
  const uint32_t kernels = layer->kind == VGGRT_CONVOLUTION ? vggrt_convolution_scratch(layer) : 0;
  return pointers_size(layer) + rounded_up(kernels, VGGRT_ALIGNMENT);
}

uint32_t vggrt_least_window(const vggrt_layer *layer) {
  const uint32_t numbers = (uint32_t)sizeof(vggrt_channel);
  if (layer->kind == VGGRT_CONVOLUTION) return numbers + vggrt_row_size(layer);
  if (layer->kind != VGGRT_DENSE) return 0;
  return numbers + (layer->encoding == VGGRT_SPARSE ? 288 : least(vggrt_row_size(layer), 64));
}

int8_t *vggrt_row(const vggrt *runtime, uint32_t map, uint32_t y) {
  const vggrt_model *model = runtime->model;
  const vggrt_shape *shape = map > 0 ? &model->layers[map - 1].output : &model->layers[0].input;
  const vggrt_map *place = &model->maps[map];
  return (int8_t *)(runtime->arena + place->offset) + y % place->rows * shape->width * shape->channels;
}

/** Finds the rows of a window, whose first output row is `y`; NULL is beside the map. */
static void find_rows(const vggrt *runtime, uint32_t index, uint32_t y, uint32_t count, const int8_t **rows) {
  const vggrt_layer *layer = &runtime->model->layers[index];
  for (uint32_t i = 0; i < count; i++) {
    /* Above the map this is a very large number. */
    const uint32_t row = y * layer->stride_height + i - layer->padding_top;
    rows[i] = row < layer->input.height ? vggrt_row(runtime, index, row) : NULL;
  }
}

vggrt_status vggrt_read(const vggrt *runtime, uint32_t offset, void *destination, uint32_t count) {
  const vggrt_weights *weights = &runtime->weights;
  if (offset > weights->length || count > weights->length - offset) return VGGRT_READ_FAILED;
  if (weights->memory) {
    memcpy(destination, (const uint8_t *)weights->memory + offset, count);
    return VGGRT_OK;
  }
  return weights->read(weights->context, offset, destination, count) == 0 ? VGGRT_OK : VGGRT_READ_FAILED;
}

/** A layer whose turn it is. */
typedef struct {
  const vggrt *runtime;
  const vggrt_layer *layer;
  /** Its index, which is also that of its input. */
  uint32_t index;
  /** The rows of output. */
  uint32_t from, to;
  uint8_t *scratch, *window;
} vggrt_turn;

/** Gets the weights of channels from `panel->first` on: of all that are left, or of as many as the window holds. */
static vggrt_status take_panel(const vggrt_turn *turn, vggrt_panel *panel) {
  const vggrt_layer *layer = turn->layer;
  const uint32_t numbers = (uint32_t)sizeof(vggrt_channel), row = vggrt_row_size(layer), first = panel->first;
  const uint32_t channels = layer->channels_offset + first * numbers, weights = layer->weights_offset + first * row;
  panel->count = layer->output.channels - first;
  if (turn->runtime->weights.memory) {
    const uint8_t *image = turn->runtime->weights.memory;
    panel->channels = (const vggrt_channel *)(const void *)(image + channels);
    panel->weights = image + weights;
    return VGGRT_OK;
  }
  panel->count = least(panel->count, turn->runtime->model->window_size / (numbers + row));
  uint8_t *codes = turn->window + panel->count * numbers;
  panel->channels = (const vggrt_channel *)(const void *)turn->window;
  panel->weights = codes;
  const vggrt_status status = vggrt_read(turn->runtime, channels, turn->window, panel->count * numbers);
  return status == VGGRT_OK ? vggrt_read(turn->runtime, weights, codes, panel->count * row) : status;
}

static vggrt_status run_convolution(const vggrt_turn *turn) {
  const vggrt_layer *layer = turn->layer;
  const uint32_t at_once = vggrt_rows_at_once(layer);
  const int8_t **rows = (const int8_t **)(void *)turn->scratch;
  vggrt_panel panel;
  for (panel.first = 0; panel.first < layer->output.channels; panel.first += panel.count) {
    const vggrt_status status = take_panel(turn, &panel);
    if (status != VGGRT_OK) return status;
    for (uint32_t y = turn->from; y < turn->to; y += at_once) {
      const uint32_t count = least(at_once, turn->to - y);
      int8_t *const outputs[2] = {
        vggrt_row(turn->runtime, turn->index + 1, y), vggrt_row(turn->runtime, turn->index + 1, y + count - 1)};
      find_rows(turn->runtime, turn->index, y, window_rows(layer, count), rows);
      vggrt_convolution(
        layer, (vggrt_rounding)turn->runtime->model->rounding, &panel, rows, outputs, count,
        turn->scratch + pointers_size(layer));
    }
  }
  return VGGRT_OK;
}

/** The part of the image that is looked at. */
typedef struct {
  uint32_t offset, count;
  const uint8_t *bytes;
} vggrt_part;

/** Gets up to `most` bytes of the image from `part->offset` on, behind the numbers of a channel in the window. */
static vggrt_status take_part(const vggrt_turn *turn, vggrt_part *part, uint32_t most) {
  const uint32_t numbers = (uint32_t)sizeof(vggrt_channel);
  const uint8_t *image = turn->runtime->weights.memory;
  part->count = image ? most : least(most, turn->runtime->model->window_size - numbers);
  part->bytes = image ? image + part->offset : turn->window + numbers;
  return image ? VGGRT_OK : vggrt_read(turn->runtime, part->offset, turn->window + numbers, part->count);
}

/** The sum of an output whose weights are VGGRT_PLAIN; moves on to the next row. */
static vggrt_status sum_plain(const vggrt_turn *turn, const int8_t *input, uint32_t *offset, uint32_t *sum) {
  const uint32_t row = vggrt_row_size(turn->layer), count = input_count(turn->layer);
  for (uint32_t done = 0; done < row;) {
    vggrt_part part = {.offset = *offset + done};
    const vggrt_status status = take_part(turn, &part, row - done);
    if (status != VGGRT_OK) return status;
    /* Parts begin at multiples of four inputs. */
    if (part.count < row - done) part.count &= ~3u;
    *sum += vggrt_dense_sum((const int8_t *)part.bytes, input + done, least(part.count, count - done));
    done += part.count;
  }
  *offset += row;
  return VGGRT_OK;
}

/** The bytes of a block, or more than `most` if it has more. */
static uint32_t block_size(const uint8_t *block, uint32_t inputs, uint32_t most) {
  const uint32_t bitmap = (inputs + 7) / 8;
  if (bitmap > most) return bitmap;
  uint32_t size = bitmap;
  for (uint32_t i = 0; i < bitmap; i++)
    for (uint32_t bits = block[i]; bits; bits &= bits - 1) size += 1;
  return size;
}

/** The sum of an output whose weights are VGGRT_SPARSE; moves on to the next row. */
static vggrt_status sum_sparse(const vggrt_turn *turn, const int8_t *input, uint32_t *offset, uint32_t *sum) {
  const vggrt_layer *layer = turn->layer;
  const uint32_t count = input_count(layer), end = layer->weights_offset + layer->weights_length;
  uint32_t length = 0;
  vggrt_status status = end - *offset >= 4 ? vggrt_read(turn->runtime, *offset, &length, 4) : VGGRT_WEIGHTS_DAMAGED;
  if (status != VGGRT_OK) return status;
  *offset += 4;
  if (length > end - *offset) return VGGRT_WEIGHTS_DAMAGED;
  vggrt_part part = {.offset = *offset, .count = 0};
  for (uint32_t done = 0; done < count;) {
    status = take_part(turn, &part, *offset + length - part.offset);
    if (status != VGGRT_OK) return status;
    /* As many blocks as are there. */
    uint32_t used = 0;
    while (done < count) {
      const uint32_t inputs = least(count - done, 256);
      const uint32_t size = block_size(part.bytes + used, inputs, part.count - used);
      if (size > part.count - used) break;
      *sum += vggrt_sparse_sum(part.bytes + used, input + done, inputs);
      used += size;
      done += inputs;
    }
    if (used == 0) return VGGRT_WEIGHTS_DAMAGED;
    part.offset += used;
  }
  if (part.offset != *offset + length) return VGGRT_WEIGHTS_DAMAGED;
  *offset += rounded_up(length, 4);
  return VGGRT_OK;
}

/** One output after the other: of weights that are VGGRT_SPARSE, or whose rows are longer than the window. */
static vggrt_status run_dense_by_rows(const vggrt_turn *turn, const int8_t *input, int8_t *output) {
  const vggrt_layer *layer = turn->layer;
  uint32_t offset = layer->weights_offset;
  for (uint32_t i = 0; i < layer->output.channels; i++) {
    uint32_t sum = 0;
    vggrt_status status = layer->encoding == VGGRT_SPARSE ? sum_sparse(turn, input, &offset, &sum)
                                                          : sum_plain(turn, input, &offset, &sum);
    if (status != VGGRT_OK) return status;
    vggrt_channel channel;
    status = vggrt_read(
      turn->runtime, layer->channels_offset + i * (uint32_t)sizeof channel, &channel, (uint32_t)sizeof channel);
    if (status != VGGRT_OK) return status;
    output[i] = vggrt_code(layer, (vggrt_rounding)turn->runtime->model->rounding, &channel, sum);
  }
  return VGGRT_OK;
}

static vggrt_status run_dense(const vggrt_turn *turn) {
  const vggrt_layer *layer = turn->layer;
  const vggrt *runtime = turn->runtime;
  const int8_t *input = vggrt_row(runtime, turn->index, 0);
  int8_t *output = vggrt_row(runtime, turn->index + 1, 0);
  const uint32_t needed = (uint32_t)sizeof(vggrt_channel) + vggrt_row_size(layer);
  if (layer->encoding == VGGRT_SPARSE || (!runtime->weights.memory && needed > runtime->model->window_size))
    return run_dense_by_rows(turn, input, output);
  vggrt_panel panel;
  for (panel.first = 0; panel.first < layer->output.channels; panel.first += panel.count) {
    const vggrt_status status = take_panel(turn, &panel);
    if (status != VGGRT_OK) return status;
    vggrt_dense(layer, (vggrt_rounding)runtime->model->rounding, &panel, input, output);
  }
  return VGGRT_OK;
}

/** Layers without weights. */
static void run_rows(const vggrt_turn *turn) {
  const vggrt_layer *layer = turn->layer;
  const int8_t **rows = (const int8_t **)(void *)turn->scratch;
  for (uint32_t y = turn->from; y < turn->to; y++) {
    int8_t *output = vggrt_row(turn->runtime, turn->index + 1, y);
    if (layer->kind <= VGGRT_AVERAGE_POOLING) {
      find_rows(turn->runtime, turn->index, y, window_rows(layer, 1), rows);
      vggrt_pooling(layer, rows, output);
    } else {
      vggrt_elements(
        layer, (vggrt_rounding)turn->runtime->model->rounding, vggrt_row(turn->runtime, turn->index, y), output);
    }
  }
}

static vggrt_status run_turn(const vggrt_turn *turn) {
  const vggrt *runtime = turn->runtime;
  vggrt_status status = VGGRT_OK;
  if (turn->layer->kind == VGGRT_CONVOLUTION) status = run_convolution(turn);
  else if (turn->layer->kind == VGGRT_DENSE) status = run_dense(turn);
  else run_rows(turn);
  if (status != VGGRT_OK || !runtime->observer) return status;
  for (uint32_t y = turn->from; y < turn->to; y++)
    runtime->observer(
      runtime->observer_context, turn->index, vggrt_row(runtime, turn->index + 1, y),
      turn->layer->output.width * turn->layer->output.channels);
  return VGGRT_OK;
}

/** How many rows of its input a layer needs for its first `rows` rows of output. */
static uint32_t rows_of_input(const vggrt_layer *layer, uint32_t rows) {
  if (rows == 0) return 0;
  if (layer->kind == VGGRT_DENSE) return layer->input.height;
  if (layer->kind > VGGRT_AVERAGE_POOLING) return rows;
  const uint32_t reached = window_rows(layer, rows);
  return reached > layer->padding_top ? least(reached - layer->padding_top, layer->input.height) : 0;
}

static vggrt_status run_group(const vggrt *runtime, const vggrt_group *group) {
  const vggrt_layer *layers = runtime->model->layers;
  const uint32_t end = (uint32_t)group->first + group->count, height = layers[end - 1].output.height;
  uint32_t next;
  for (uint32_t done = 0; done < height; done = next) {
    next = least(done + group->strip, height);
    for (uint32_t index = group->first; index < end; index++) {
      vggrt_turn turn = {
        runtime, &layers[index], index, done, next, runtime->arena + group->scratch_offset,
        runtime->arena + group->window_offset};
      for (uint32_t later = end - 1; later > index; later--) {
        turn.from = rows_of_input(&layers[later], turn.from);
        turn.to = rows_of_input(&layers[later], turn.to);
      }
      const vggrt_status status = run_turn(&turn);
      if (status != VGGRT_OK) return status;
    }
  }
  return VGGRT_OK;
}

vggrt_status vggrt_run(vggrt *runtime) {
  if (!runtime->model) return VGGRT_NOT_READY;
  runtime->has_output = 0;
  for (uint32_t i = 0; i < runtime->model->group_count; i++) {
    const vggrt_status status = run_group(runtime, &runtime->model->groups[i]);
    if (status != VGGRT_OK) return status;
  }
  runtime->has_output = 1;
  return VGGRT_OK;
}

int8_t *vggrt_input(const vggrt *runtime) { return runtime->model ? vggrt_row(runtime, 0, 0) : NULL; }

const int8_t *vggrt_output(const vggrt *runtime) {
  return runtime->has_output ? vggrt_row(runtime, runtime->model->layer_count, 0) : NULL;
}

void vggrt_observe(vggrt *runtime, vggrt_observer observer, void *context) {
  runtime->observer = observer;
  runtime->observer_context = context;
}
