% Read every documented field of a simulation and of its decomposition with Octave's load, which
% gives arrays transposed.
files = argv();
s = load(files{1});
[n_samples, n_channels] = size(s.emg.data);
assert(n_samples == 3 * s.emg.sampling_rate_hz);
names = {"x_mm", "y_mm", "z_mm", "row", "column"};
for k = 1:numel(names)
  assert(numel(s.emg.electrodes.(names{k})) == n_channels);
end
assert(numel(s.emg.bad_channel) == n_channels);
assert(isequal(size(s.emg.clean), [n_samples, n_channels]));
assert(isequal(size(s.emg.noise), [n_samples, n_channels]));
n_units = numel(s.truth.spike_offsets) - 1;
assert(n_units == 6);
assert(double(s.truth.spike_offsets(end)) == numel(s.truth.spike_samples));
assert(size(s.truth.muap, 3) == n_units);
names = {"depth_mm", "angle_deg", "innervation_zone_mm", "conduction_velocity_m_per_s", ...
         "fibre_count", "recruitment_threshold", "territory_radius_mm", "half_length_1_mm", ...
         "half_length_2_mm"};
for k = 1:numel(names)
  assert(numel(s.truth.units.(names{k})) == n_units);
end
assert(numel(s.truth.excitation) == n_samples && numel(s.truth.force) == n_samples);
assert(! isempty(strfind(s.provenance.config_yaml, "simulation:")));
assert(ischar(s.provenance.version) && ischar(s.provenance.cpu) && ischar(s.provenance.blas));
assert(s.provenance.seed == 3);

d = load(files{2});
n_units = numel(d.units.spike_offsets) - 1;
names = {"sil", "pnr_db", "isi_cov", "rate_hz"};
for k = 1:numel(names)
  assert(numel(d.units.(names{k})) == n_units);
end
assert(numel(d.provenance.input_sha256) == 64);
disp("fields read");
