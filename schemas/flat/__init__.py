"""Files of lines whose fields stand in fixed columns, as clearing houses have exchanged them since punched cards."""
