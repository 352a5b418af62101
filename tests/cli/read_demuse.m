% Read a file for DEMUSE and compare its discharges and signals with the native file.
arguments = argv();
file = load(arguments{1});
native = load(arguments{2});
offsets = double(native.truth.spike_offsets);
samples = double(native.truth.spike_samples);
n = 0;
for u = 1:numel(offsets) - 1
  train = samples(offsets(u) + 1:offsets(u + 1));
  if !isempty(train)
    n = n + 1;
    assert(isequal(file.MUPulses{n}(:), train(:) + 1));
  end
end
assert(numel(file.MUPulses) == n && size(file.IPTs, 1) == n);
assert(file.fsamp == native.emg.sampling_rate_hz && strcmp(file.SIG_units, "mV"));
row = native.emg.electrodes.row(1) + 1;
column = native.emg.electrodes.column(1) + 1;
assert(numel(file.SIG{row, column}) == size(file.IPTs, 2));
assert(isequal(size(file.discardChannelsVec), size(file.SIG)));
puts("fields read\n");
