// cnn.h -- convolutional networks that find known motor units (Wen et al. 2021): training and use
//
// A network looks at windows of all channels and answers, for each unit it was trained on, whether
// the unit discharges in the middle of the window. It is trained on a recording and spike trains
// that were found in it, and then finds the same units in new data of the same electrodes.
#ifndef EMG_CNN_H
#define EMG_CNN_H

#include <stdbool.h>
#include <stdint.h>

#include <emgtwin/config.h>
#include <emgtwin/decompose.h>
#include <emgtwin/file.h>
#include <emgtwin/log.h>
#include <emgtwin/online.h>
#include <emgtwin/recording.h>
#include <emgtwin/spikes.h>
#include <emgtwin/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EMG_CNN_UNITS_MAX 1024
#define EMG_CNN_CHANNELS_MAX 4096
#define EMG_CNN_WINDOW_MAX 4096

// Which layers units share (docs/cnn.md): none, the first two convolutions (both of Wen et al.
// 2021), all convolutions, everything but the last weights. Numbered as cnn.network.
typedef enum { EMG_CNN_SO, EMG_CNN_MO, EMG_CNN_SHARED, EMG_CNN_MULTILABEL } emg_cnn_kind;
const char *emg_cnn_kind_name(emg_cnn_kind kind);  // "so", ...; NULL if there is none

// What the number of weights depends on.
typedef struct {
  emg_cnn_kind kind;
  int n_units, n_channels;
  int window, step;  // samples a window has, and from one window to the next
} emg_cnn_shape;
// 0 if there is no network of this shape.
int64_t emg_cnn_count_weights(const emg_cnn_shape *shape);

// A trained network with all that its use needs. Window i is centred on sample i * step, from half
// a window before it on.
typedef struct {
  emg_cnn_shape shape;
  int n_channels_recorded;  // channels a recording must have
  int32_t *channel;         // [n_channels] ascending, of the recording
  double rate_hz;
  double band_low_hz, band_high_hz, notch_hz;  // causal filter of the channels, 0: none
  double scale_uv;                             // the network sees the filtered channels over this
  double refractory_ms;
  double soft_label_ms;  // labels of training: standard deviation about a discharge; 0: the step
                         // that holds one is 1
  double *threshold;     // [n_units] probability from which a peak is a discharge, 0..1
  float *weights;        // [emg_cnn_count_weights]
  uint64_t seed;
  char labels_sha256[65];  // of the trains it was trained on, as emg_cnn_labels_sha256 has it
} emg_cnn;
void emg_cnn_free(emg_cnn *net);
emg_status emg_cnn_create(const emg_cnn_shape *shape, emg_cnn *out, emg_error *err);
emg_status emg_cnn_copy(const emg_cnn *from, emg_cnn *out, emg_error *err);
// SHA-256 of offsets and samples of the trains, as 64 hex digits.
void emg_cnn_labels_sha256(const emg_spikes *labels, char hex[65]);

// --- training ---

// Why a training ended.
typedef enum {
  EMG_CNN_ALL_EPOCHS,  // cnn.epochs were done
  EMG_CNN_PATIENCE,    // no better one for cnn.patience epochs
} emg_cnn_stop;

typedef struct {
  double loss;  // sum over the units of the mean cross-entropy, with dropout
  double f1;    // what cnn.select looks at
} emg_cnn_epoch;

// Right and wrong answers for a unit: there and found, found and not there, there and missed.
typedef struct {
  int64_t n_true, n_false, n_missed;
} emg_cnn_count;
double emg_cnn_sensitivity(const emg_cnn_count *count);  // 0 if nothing is there
double emg_cnn_precision(const emg_cnn_count *count);    // 0 if nothing was found
double emg_cnn_f1(const emg_cnn_count *count);           // 0 if neither

// How a training went.
typedef struct {
  int n_epochs, best;  // the one whose weights are kept
  emg_cnn_epoch *epochs;
  emg_cnn_stop stop;
  int n_units;
  int64_t n_train, n_validation, n_held;  // windows
  // [n_units] with the final thresholds, on the validation part and on the part that was held out:
  // window by window as in Wen et al. 2021 (hard labels alone), and discharge by discharge, right
  // within half a step or two standard deviations of a soft label. 0 without such a part.
  emg_cnn_count *validation, *held_windows, *held_discharges;
} emg_cnn_history;
void emg_cnn_history_free(emg_cnn_history *history);

// The section cnn for training as in Wen et al. 2021: network mo, windows one by one and as they
// were recorded, the best epoch by the F1 of training, the loss with a patience of 50.
void emg_cnn_set_paper(emg_config *config);

// Train a network (section cnn of the configuration) on a recording and the trains of its units.
// Channels are left out and filtered as for separation filters (emgtwin/filters.h). Of the
// recording, decompose.from_s to to_s is used. `checkpoint` (may be NULL) is written after epochs;
// a training that goes on from it ends in the same bits as one that was never interrupted. Same
// bits at any thread count. EMG_ERR_DATA: no trains, another rate, a recording too short,
// EMG_ERR_CONFIG, EMG_ERR_INTERRUPTED.
emg_status emg_cnn_train(const emg_recording *rec, const emg_spikes *labels,
                         const emg_config *config, const emg_checkpoint *checkpoint,
                         const emg_monitor *monitor, emg_cnn *out, emg_cnn_history *history,
                         emg_error *err);

// --- use ---

// EMG_ERR_DATA if the rate or the number of channels of a recording is not that of the network.
emg_status emg_cnn_check(const emg_cnn *net, const emg_recording *rec, emg_error *err);

// The answers as logits, log(p / (1 - p)), [unit][window]: window i is centred on sample i * step,
// i from 0; samples beyond the ends of the recording are 0. Same bits at any thread count.
emg_status emg_cnn_answer(const emg_cnn *net, const emg_recording *rec, const emg_monitor *monitor,
                          emg_array2f *out, emg_error *err);

// Trains, figures and averages of a recording, or of decompose.from_s to to_s of it; with
// decompose.keep_source the source of a unit is its probability at each sample. Silhouettes and
// pulse-to-noise ratios are those of the probabilities.
emg_status emg_cnn_decompose(const emg_recording *rec, const emg_cnn *net, const emg_config *config,
                             const emg_monitor *monitor, emg_decomposition *out, emg_error *err);

// --- samples as they come ---

// A network at work on a stream of samples. One thread per state; different states are independent.
// Nothing is allocated after creation, and cutting the samples in other batches changes no bit.
typedef struct emg_cnn_stream emg_cnn_stream;

// The network is copied. EMG_ERR_MEMORY.
emg_status emg_cnn_stream_create(const emg_cnn *net, emg_cnn_stream **out, emg_error *err);
void emg_cnn_stream_free(emg_cnn_stream *stream);

// The answers logits[n_units] of the window centred on a sample, counted from the first one pushed.
typedef void (*emg_cnn_answer_fn)(int64_t centre, const float *logits, void *user);

// Take `n` samples of all recorded channels in uV, samples[n][n_channels_recorded]. `answer`, if
// not NULL, gets every window when its last sample has been pushed, half a window after its centre;
// `report`, if not NULL, the discharges that are certain by then, with their probability as height,
// unit by unit in order of time. Bad values are replaced as by emg_online_push.
void emg_cnn_stream_push(emg_cnn_stream *stream, const float *samples, int64_t n,
                         emg_cnn_answer_fn answer, emg_spike_fn report, void *user);
// The windows that the end of the stream cuts, as if it went on with 0, and what is pending. The
// stream is over: nothing may be pushed any more. All answers are those of emg_cnn_answer within
// rounding.
void emg_cnn_stream_flush(emg_cnn_stream *stream, emg_cnn_answer_fn answer, emg_spike_fn report,
                          void *user);

// At most so many samples pass from a discharge to its report: half a window, two steps, and the
// refractory time, in which a greater peak would replace it.
int64_t emg_cnn_stream_latency(const emg_cnn_stream *stream);
int64_t emg_cnn_stream_bad_values(const emg_cnn_stream *stream);
const emg_cnn *emg_cnn_stream_network(const emg_cnn_stream *stream);

// --- files (docs/cnn.md) ---

// HDF5 with the weights under model_weights/ as Keras keeps them. Errors as emg_file_write.
emg_status emg_cnn_write(const char *path, const emg_cnn *net, const emg_provenance *provenance,
                         bool overwrite, emg_error *err);
// EMG_ERR_DATA with what is wrong: not such a file, truncated, sizes that do not agree, numbers
// that are not finite.
emg_status emg_cnn_read(const char *path, emg_cnn *out, emg_error *err);

// The network as ONNX (operators of version 13): input `window` [windows][window][n_channels],
// which is filtered and over scale_uv already, output `probability` [windows][n_units]. The sums
// run in another order there. Errors as emg_file_write.
emg_status emg_cnn_write_onnx(const char *path, const emg_cnn *net, bool overwrite, emg_error *err);

#ifdef __cplusplus
}
#endif
#endif
