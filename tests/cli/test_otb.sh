# archives of OT Bioelettronica from outside
. "$SOURCE/tests/cli/lib.sh"
seeds=$SOURCE/tests/fuzz/corpus/otb

run 0 inspect "$seeds/quattrocento.otb+"
says "OTB+"
says "64 EMG channels, 5 samples"
says "GR08MM1305: 64 channels, 13 x 5, 8 mm apart"
says "AUX  Force"
says "experimental reader: no real file of this format has been met"
run 0 inspect "$seeds/novecento.otb4" --json
is_json
says '"pitch_mm": 10'
run 0 validate "$seeds/quattrocento.otb+" "$seeds/packed.otb+" "$seeds/novecento.otb4"
says "novecento.otb4: recording, OTB4, 33 channels"

# cut copies, and text that is called so
dd if="$seeds/quattrocento.otb+" of=cut.otb+ bs=1000 count=5 2>/dev/null
refused 4 "2026.xml in the archive claims" inspect cut.otb+
refused 4 "2026.xml in the archive claims" validate cut.otb+
echo hello >text.otb4
refused 4 "no known format" validate text.otb4
refused 4 "" decompose text.otb4 -o out.h5
holds ! -e out.h5

finish
